"""What ``s2igan score`` refuses before it looks at a picture."""

from pathlib import Path

import pytest

from s2igan.cli import main
from s2igan.comparison.score import score
from s2igan.errors import EXIT_USER_ERROR, UserError


def test_outside_a_repository_it_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(UserError, match=r"no params\.yaml; expected a repository in which"):
        score(tmp_path / "theirs", tmp_path / "out")


@pytest.mark.parametrize("out", [".", "metrics", "artifacts/samples", "artifacts/sen/theirs"])
def test_figures_of_another_model_never_take_the_place_of_ours(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "params.yaml").touch()
    with pytest.raises(UserError, match="got a folder that stages write to; expected a folder for"):
        score(tmp_path / "theirs", tmp_path / out)


def test_a_folder_that_cannot_be_made_is_told_before_the_pictures_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "params.yaml").touch()
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert main(["score", str(tmp_path / "theirs"), "-o", str(out)]) == EXIT_USER_ERROR
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(tmp_path / "file") in told


def test_a_file_in_place_of_the_folder_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "params.yaml").touch()
    (tmp_path / "out").write_text("precious")
    with pytest.raises(UserError, match="got a file"):
        score(tmp_path / "theirs", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"
