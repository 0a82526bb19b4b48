import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("where --params /nope", "bench.where: '/nope'; got No such file or directory; expected"),
        ("begin /nope", "bench.begin: '/nope/params.yaml'; got No such file or directory"),
        ("import_curves /nope", "bench.import_curves: '/nope"),
    ],
)
def test_what_a_user_can_mend_is_told_in_one_line(command: str, told: str) -> None:
    module, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1
