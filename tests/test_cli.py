import json
import subprocess
import sys
from pathlib import Path

import pytest

from s2igan.cli import main


def test_report_prints_every_figure_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = {"value": 0.625, "chance": 0.125, "protocol": ["all test pairs"]}
    (tmp_path / "retrieval.json").write_text(json.dumps({"speech_to_image": {"mAP": figure}}))
    assert main(["report", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "mAP" in printed
    assert "0.625" in printed or "62.5" in printed


def test_a_missing_folder_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_needs_neither_torch_nor_mlflow() -> None:
    script = "import sys, s2igan.cli; sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
