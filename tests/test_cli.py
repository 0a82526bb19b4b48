import json
import os
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from s2igan.cli import main
from s2igan.serving.locate import DEFAULT


def test_report_prints_every_figure_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = {"value": 0.625, "chance": 0.125, "protocol": ["all test pairs"]}
    (tmp_path / "retrieval.json").write_text(json.dumps({"speech_to_image": {"mAP": figure}}))
    assert main(["report", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "mAP" in printed
    assert "0.625" in printed or "62.5" in printed


def test_a_terminal_without_our_signs_gets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = {"value": 0.625, "chance": 0.125, "protocol": ["2 × 2 pairs"]}
    (tmp_path / "retrieval.json").write_text(json.dumps({"speech_to_image": {"mAP": figure}}))
    terminal = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["report", str(tmp_path)]) == 0
    terminal.flush()
    assert b"2 ? 2 pairs" in terminal.buffer.getvalue()


def answered(command: list[str], stdout: int | None, unbuffered: str) -> tuple[int, str]:
    """Run a command with a standard output, or without one; return its exit code and complaint."""
    script = 'exec "$0" -m s2igan.cli "$@"' + (" >&-" if stdout is None else "")
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, *command],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "s2igan.cli report /nowhere",
        "stages.embed --corpus x --features x --sen x --embeddings x --metrics x",
    ],
)
def test_where_standard_error_is_closed_the_exit_code_still_tells(command: str) -> None:
    shell = f'exec "$0" -m {command} 2>&-'
    done = subprocess.run(["/bin/sh", "-c", shell, sys.executable], check=False)
    assert done.returncode == 2


COMMITTED = ["report", str(Path(__file__).parents[1] / "metrics")]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_standard_output_that_cannot_be_written_is_told_in_one_line(
    unbuffered: str,
) -> None:
    told = "s2igan: standard output; got {}; expected a terminal, file or pipe to write to\n"
    assert answered(COMMITTED, None, unbuffered) == (2, told.format("a closed one"))
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            code = answered(COMMITTED, full.fileno(), unbuffered)
        assert code == (2, told.format("No space left on device"))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_ends_a_command_as_it_ends_others(
    unbuffered: str,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert answered(COMMITTED, writer, unbuffered) == (128 + signal.SIGPIPE, "")
    finally:
        os.close(writer)


def test_a_missing_folder_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(2, "No such file or directory", "/proc/x"), "'/proc/x'; got No such file"),
        (ConnectionError("nobody\nanswers"), "nobody answers"),
        (RuntimeError("writing failed: No space left on device"), "the disk is full; free some"),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr("s2igan.evaluation.report.format_report", fail)
    assert main(["report"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"s2igan: {said}")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("rows", "unknown"), [("s2igan,none", "none"), ("none, without-rs", "none"), ("", "")]
)
def test_a_table_of_unknown_rows_is_told_before_anything_runs(
    rows: str, unknown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[1] / "presets" / "tables" / "smoke.yaml"
    assert main(["table", str(path), "--with", "plain", "--rows", rows]) == 2
    told = capsys.readouterr().err
    assert f"rows {unknown!r}; got no such row; expected some of s2igan, without-rs" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["report", ""],
        ["score", "", "-o", "out"],
        ["score", "samples", "-o", ""],
        ["table", ""],
        ["table", "birds.yaml", "--out="],
        ["speak", ""],
        ["speak", "a.wav", "-o", ""],
        ["export", "-o", ""],
        ["export", "-o", "out", "--rdg", ""],
    ],
)
def test_an_empty_path_is_not_taken_for_the_folder_one_stands_in(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(": an empty name\n")


def test_a_list_that_is_missing_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", str(tmp_path / "absent.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("yaml", ["table", "birds.yaml"]),
        ("yaml", ["score", "samples", "-o", "scored"]),
        ("mlflow", ["register", "--model", str(DEFAULT)]),
        ("dvc", ["push"]),
    ],
)
def test_a_command_without_the_extra_is_told_in_one_line(package: str, command: list[str]) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from s2igan.cli import main; sys.exit(main({command!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"s2igan: package {package}; got none; ".encode())
    assert b"install `s2igan[pipeline]`" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_help_needs_neither_torch_nor_mlflow() -> None:
    script = "import sys, s2igan.cli; sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
