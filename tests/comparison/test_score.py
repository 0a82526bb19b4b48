"""What ``s2igan score`` refuses before it looks at a picture."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from s2igan.cli import main
from s2igan.comparison import score as module
from s2igan.comparison.score import score
from s2igan.errors import EXIT_USER_ERROR, UserError
from tests.comparison.results import ROOT


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "params.yaml").touch()
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    return tmp_path


def test_outside_a_repository_it_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(UserError, match=r"no params\.yaml; expected a repository in which"):
        score(tmp_path / "theirs", tmp_path / "out")


@pytest.mark.parametrize(
    "out",
    [
        *(".", "metrics", "plots", "artifacts", "linked/rdg"),
        *("artifacts/samples", "artifacts/sen/theirs", "artifacts/rdg", "artifacts/speech"),
    ],
)
def test_figures_of_another_model_never_take_the_place_of_ours(out: str, repository: Path) -> None:
    (repository / "artifacts").mkdir()
    (repository / "linked").symlink_to("artifacts")
    with pytest.raises(UserError, match="got a folder that stages write to; expected a folder for"):
        score(repository / "theirs", repository / out)
    assert not list((repository / "artifacts").iterdir())


@pytest.mark.parametrize("out", ["theirs", "artifacts/theirs", "metrics/theirs"])
def test_a_folder_beside_what_stages_write_is_taken(out: str, repository: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml"):  # which is empty here
        score(repository / "theirs", repository / out)
    assert (repository / out / "plots").is_dir()


def test_inputs_are_ours_and_all_that_is_written_goes_into_the_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "presets" / "smoke.yaml", repository / "params.yaml")
    given: dict[str, Any] = {}
    monkeypatch.setattr(module, "evaluate", lambda _config, **paths: given.update(paths))
    theirs, out = repository / "theirs", repository / "out"
    score(theirs, out)
    del given["session"]
    ours = ("corpus", "features", "embeddings", "sen", "weights")
    assert given == {
        **{name: repository / "artifacts" / name for name in ours},
        "samples": theirs,
        "metrics": out / "generation.json",
        "classes": out / "classes.tsv",
        "plots": out / "plots",
    }


def test_a_folder_that_cannot_be_made_is_told_before_the_pictures_are_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "file").touch()
    out = repository / "file" / "out"
    assert main(["score", str(repository / "theirs"), "-o", str(out)]) == EXIT_USER_ERROR
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(repository / "file") in told


def test_a_file_in_place_of_the_folder_is_told_first(repository: Path) -> None:
    (repository / "out").write_text("precious")
    with pytest.raises(UserError, match="got a file"):
        score(repository / "theirs", repository / "out")
    assert (repository / "out").read_text() == "precious"
