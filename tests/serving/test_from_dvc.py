"""Models of a revision, out of DVC's cache."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from s2igan.serving.card import read_card
from s2igan.serving.from_dvc import fetch_revision

CORPUS = "oxford102"
COUNTS = {"images": {"train": 7}}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own


@pytest.fixture
def root(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a larger repository, whose model and corpus are in DVC's cache."""
    from dvc.repo import Repo

    root = tmp_path / "ours" / "speech"
    for name, text in {
        ".dvc/config": "",
        "artifacts/rdg/rdg.json": "{}",
        "artifacts/corpus/corpus.json": json.dumps(COUNTS),
        "params.yaml": f"corpus: {{kind: {CORPUS}}}",
        f"data/{CORPUS}.yaml": (repository / "data" / f"{CORPUS}.yaml").read_text("utf-8"),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with Repo(str(root)) as repo:
        repo.add(["artifacts/rdg", "artifacts/corpus"])
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "add", "params.yaml", "artifacts", "data", ".dvc/config"], check=True)
    subprocess.run(["git", *author, "commit", "-qm", "A state"], check=True)
    return root


def test_a_folder_of_a_larger_repository_gives_the_model_of_a_revision(root: Path) -> None:
    folder = fetch_revision("HEAD", root)
    assert (folder / "rdg.json").read_text() == "{}"
    card = read_card(folder)
    assert card["corpus"]["kind"] == CORPUS
    assert card["licence"].startswith("that of the corpus (nilsback2008: ")
    assert "reed2016" in card["sources"]
    assert card["counts"] == COUNTS


def test_a_model_comes_without_counts_where_the_corpus_was_not_pulled(root: Path) -> None:
    kept = (path for path in (root / ".dvc" / "cache").rglob("*") if path.is_file())
    (corpus,) = (path for path in kept if b"train" in path.read_bytes())
    corpus.unlink()
    card = read_card(fetch_revision("HEAD", root))
    assert card["counts"] == {}
    assert "reed2016" in card["sources"]
