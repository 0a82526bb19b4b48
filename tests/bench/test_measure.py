"""All measurements of one call on a machine with a GPU, whose Python a stand-in plays."""

import importlib
import os
import subprocess
from pathlib import Path

import pytest

# Notes what it is asked, writes what it is told to write and fails at tests. What it imports is
# there once pip has been called.
STAND_IN = """#!/bin/sh
echo "$*" >>asked
case "$*" in
    -c*) grep -q "^-m pip" asked || { echo "No module named it" >&2; exit 1; } ;;
    *pytest*) echo "one failed"; exit 1 ;;
    *bench*) echo "a table"; while [ "$1" != --out ]; do shift; done; echo figures >"$2" ;;
esac
"""


@pytest.fixture
def copied(tmp_path: Path, repository: Path) -> Path:
    """A folder with the scripts, a wheel, the authors' trainer and the stand-in."""
    for name in ("bench/measure.sh", "bench/wheels.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    for name in ("wheels/it.whl", "theirs/steps/trainer.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "python").write_text(STAND_IN, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def measure(folder: Path, status: int, **settings: str) -> list[str]:
    """Call the script; return the lines that it says."""
    done = subprocess.run(
        ["bash", "bench/measure.sh"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHON": "./python", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout.splitlines()


def asked(folder: Path) -> list[list[str]]:
    """The arguments of every call of a module."""
    lines = (folder / "asked").read_text(encoding="utf-8").splitlines()
    return [line.split()[1:] for line in lines if line.startswith("-m ")]


def test_what_fails_or_does_not_fit_is_told_and_the_rest_measured(
    copied: Path, repository: Path
) -> None:
    said = measure(copied, 1)
    assert [line.partition(",")[0] for line in said[-5:]] == [
        "tests: failed",
        *(f"{name}: passed" for name in ("sen", "rdg", "where", "sen_live")),
    ]
    out = copied / "results"
    assert {path.name for path in out.iterdir()} == {
        *("measure.log", "sen.json", "rdg.json", "where.tsv", "sen_live.json"),
    }
    assert (out / "measure.log").read_text(encoding="utf-8").splitlines() == said
    assert said.count("a table") == 4
    pip, tests, *benches = asked(copied)
    assert pip[-1] == "wheels/it.whl"
    named = [word for word in tests if word.startswith("tests/")]
    assert len(named) == 9
    assert all((repository / name).is_file() for name in named)
    for module, *arguments in benches:
        importlib.import_module(module).build_parser().parse_args(arguments)
    (copied / "asked").unlink()
    said = measure(copied, 1, LIMIT="100", REFERENCE="theirs")
    skipped = {line.partition(":")[0]: line for line in said if "skipped" in line}
    assert list(skipped) == ["sen", "rdg", "sen_live"]
    assert skipped["rdg"].endswith("s left of some 180")
    assert {path.name for path in out.iterdir()} == {"measure.log", "where.tsv"}


def test_the_authors_code_takes_part_where_it_is_given(copied: Path) -> None:
    measure(copied, 1, REFERENCE="theirs", OUT="elsewhere")
    assert (copied / "elsewhere" / "rdg.json").is_file()
    compared = [call[4] for call in asked(copied) if call[-2:] == ["--reference", "theirs"]]
    assert compared == ["rdg", "sen_live"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"REFERENCE": "wheels"}, "REFERENCE wheels: got no steps/trainer.py; "),
        ({"WHEELS": "theirs"}, "wheels in theirs: No module named it; expected one there "),
    ],
)
def test_a_mistake_costs_one_line_and_no_time(
    copied: Path, settings: dict[str, str], told: str
) -> None:
    (line,) = measure(copied, 2, **settings)
    assert line.startswith(told)
    assert not (copied / "results").exists()
