"""Models of a revision, out of DVC's cache."""

import os
import subprocess
from pathlib import Path

import pytest

from s2igan.serving.from_dvc import fetch_revision


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own
def test_a_folder_of_a_larger_repository_gives_the_model_of_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    root = tmp_path / "ours" / "speech"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").touch()
    (root / "artifacts" / "rdg").mkdir(parents=True)
    (root / "artifacts" / "rdg" / "rdg.json").write_text("{}")
    (root / "params.yaml").write_text("rdg: {}")
    monkeypatch.chdir(root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with Repo(str(root)) as repo:
        repo.add("artifacts/rdg")
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "add", "params.yaml", "artifacts/rdg.dvc", ".dvc/config"], check=True)
    subprocess.run(["git", *author, "commit", "-qm", "A state"], check=True)

    folder = fetch_revision("HEAD", root)
    assert (folder / "rdg.json").read_text() == "{}"
    assert (folder.parents[1] / "params.yaml").read_text() == "rdg: {}"
