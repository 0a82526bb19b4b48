"""Where a model lies: folders, DVC revisions, MLflow addresses, the nearest one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from s2igan.cli import main
from s2igan.errors import UserError
from s2igan.serving import locate
from s2igan.serving.card import read_card
from s2igan.serving.locate import find_model
from s2igan.serving.networks import FILES
from tests.serving.makers import write_model, write_pipeline


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository to stand in."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(locate, "DEFAULT", tmp_path / "default")
    return folder


def test_a_folder_is_found_by_whatever_holds_it(root: Path) -> None:
    write_pipeline(root)
    for spec in (".", "artifacts", "artifacts/rdg", str(root / "artifacts"), root / "artifacts"):
        assert find_model(spec).resolve() == root / "artifacts" / "rdg"


def test_the_repositorys_own_comes_before_the_one_that_ships(root: Path) -> None:
    write_model(locate.DEFAULT)
    assert find_model(None) == locate.DEFAULT
    write_pipeline(root)
    assert find_model(None) == root / "artifacts" / "rdg"


@pytest.mark.usefixtures("root")
def test_without_any_model_it_is_said_how_to_get_one() -> None:
    with pytest.raises(UserError, match="dvc repro train_rdg"):
        find_model(None)


def test_a_folder_without_a_model_is_told(root: Path) -> None:
    (root / "music").mkdir()
    for spec in ("music", "absent"):
        with pytest.raises(UserError, match=f"model '{spec}'; got no model there"):
            find_model(spec)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("a bird " * 40, "(File name too long|no model there)"),  # the latter from Python 3.14 on
        ("~unheard-of/x", "no model there"),
    ],
)
def test_a_name_that_no_folder_can_have_is_told(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=f"got {said}; expected an exported folder"):
        find_model(spec)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository_with_history(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two committed models; the first is in the cache, the second is not."""
    dvc = pytest.importorskip("dvc.repo")
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "A")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site"))
    run("git", "init", "-qb", "main")
    write_pipeline(root)
    with dvc.Repo.init(str(root)) as repo:
        repo.add("artifacts/rdg")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "one")
    run("git", "tag", "first")
    pointer = root / "artifacts" / "rdg.dvc"
    pointer.write_text(pointer.read_text().replace("md5: ", "md5: 00", 1))
    run("git", "commit", "-qam", "two")
    return root


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own
def test_a_revision_is_fetched_once_with_what_its_card_needs(repository_with_history: Path) -> None:
    folder = find_model("dvc:first")
    assert folder.is_relative_to(repository_with_history / ".s2igan")
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert read_card(folder)["corpus"]["kind"] == "minibirds"
    (folder / "seen").touch()
    assert find_model("first") == folder
    assert (folder / "seen").exists()
    for spec, said in (
        ("nowhere", "unknown Git revision 'nowhere'"),
        ("main", "dvc pull"),
        ("dvc:", "model 'dvc:'; got an empty name"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            find_model(spec)
        assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # what MLflow's database warns of is not ours
def test_a_registered_model_is_downloaded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    store = f"sqlite:///{root / 'registry.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    logged = root / "logged"
    write_model(logged / "artifacts" / "model")
    client = mlflow.MlflowClient(store, store)
    client.create_registered_model("s2igan")
    version = client.create_model_version("s2igan", logged.as_uri())
    client.set_registered_model_alias("s2igan", "champion", version.version)
    folder = find_model("models:/s2igan@champion")
    assert {path.name for path in folder.iterdir()} == set(FILES)
    (folder / "seen").touch()
    assert find_model(f"models:/s2igan/{version.version}") == folder
    assert (folder / "seen").exists()
    second = client.create_model_version("s2igan", logged.as_uri())
    client.set_registered_model_alias("s2igan", "champion", second.version)
    assert find_model("models:/s2igan@champion") != folder
    shutil.copy(root / "registry.db", root / "other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'other.db'}")
    assert find_model(f"models:/s2igan/{version.version}") != folder
    with pytest.raises(UserError, match="make register") as caught:
        find_model("models:/s2igan@nobody")
    assert "\n" not in str(caught.value)


def test_looking_for_a_registered_model_makes_no_database(root: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(UserError, match="no MLflow database there"):
        find_model("models:/s2igan@champion")
    assert not (root / "mlflow.db").exists()


@pytest.mark.filterwarnings("ignore")  # what MLflow's database warns of is not ours
@pytest.mark.parametrize("kind", ["a driver that is missing", "no database"])
def test_a_registry_that_cannot_be_opened_is_told_in_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    pytest.importorskip("mlflow")
    (root / "text.db").write_text("a small bird\n" * 40)
    store = (
        "mssql+none://x/y" if kind == "a driver that is missing" else f"sqlite:///{root}/text.db"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    write_pipeline(root)
    figure = ["--metric", "retrieval/speech_to_image/R_at_1"]
    for command in (["info", "--model", "models:/s2igan@champion"], ["register", *figure]):
        assert main(command) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert told.startswith("s2igan: ")
        assert store in told
