"""The whole command on a small pipeline."""

import os
import subprocess
from pathlib import Path

import pytest

from s2igan.comparison.table import default_runner, make_table
from s2igan.errors import UserError
from tests.comparison.fake import make_repository
from tests.comparison.results import ROOT

LIST = f"""
title: A table
caption: nothing
params: {ROOT / "presets" / "smoke.yaml"}
common:
  rdg.matching_weight: 0.0
reference: s2igan
seeds: [1]
rows:
  - {{name: s2igan, title: S2IGAN}}
  - {{name: without-rs, title: w/o RS, set: {{rdg.use_rs: false}}}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_repository(tmp_path / "repository")
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    monkeypatch.setenv("DVC_ROOT", str(made))
    (made / "birds.yaml").write_text(LIST)
    return made


def test_the_page_is_named_after_the_list(root: Path) -> None:
    assert default_runner(root) == "plain"
    written = make_table(root / "birds.yaml").splitlines()
    assert written[0] == str(root / "docs" / "results" / "birds-table.md")
    assert all(Path(path).is_file() for path in written)
    assert "| w/o RS |" in Path(written[0]).read_text()


@pytest.mark.parametrize(("folder", "runner"), [("Vogel", "dvc"), ("V\u00f6gel", "plain")])
def test_a_folder_that_the_queue_cannot_name_is_left_to_plain(
    folder: str, runner: str, tmp_path: Path
) -> None:
    pytest.importorskip("dvc")
    (tmp_path / folder / ".dvc").mkdir(parents=True)
    git(tmp_path / folder, "init")
    assert default_runner(tmp_path / folder) == runner


def test_a_repository_that_loses_experiments_is_left_to_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dvc")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    whole, shallow, bare = (tmp_path / name for name in ("whole", "shallow", "bare"))
    (whole / ".dvc").mkdir(parents=True)
    (whole / ".dvc" / "config").touch()
    git(whole, "init")
    git(whole, "config", "user.name", "Ann")
    git(whole, "config", "user.email", "ann@example.org")
    git(whole, "add", ".")
    for message in ("one", "two"):
        git(whole, "commit", "--allow-empty", "-m", message)
    git(tmp_path, "clone", "--depth=1", f"file://{whole}", str(shallow))
    (bare / ".dvc").mkdir(parents=True)
    assert [default_runner(root) for root in (whole, shallow, bare)] == ["dvc", "plain", "plain"]


def test_a_runner_that_would_lose_experiments_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dvc")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    (root / ".dvc").mkdir()
    with pytest.raises(UserError, match=r"--with dvc; got a shallow clone, or no .*--unshallow"):
        make_table(root / "birds.yaml", runner="dvc")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="--with dvc; got a shallow clone"):
        make_table(root / "birds.yaml", runner="dvc")


def git(folder: Path, *arguments: str) -> None:
    plain = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=folder, env=plain, check=True, capture_output=True)


def test_rows_that_fail_are_told_and_the_others_are_written(root: Path) -> None:
    (root / "broken").touch()
    page = root / "page.md"
    with pytest.raises(UserError, match=r"without without-rs-s1: train_rdg: .* is broken$"):
        make_table(root / "birds.yaml", runner="plain", out=page)
    assert "* without-rs-s1: train_rdg:" in page.read_text()


def test_writing_alone_runs_nothing(root: Path) -> None:
    with pytest.raises(UserError, match="s2igan-s1, without-rs-s1: download has not run"):
        make_table(root / "birds.yaml", only_write=True)
    page = root / "page.md"
    make_table(root / "birds.yaml", rows=["s2igan"], out=page)
    ran = (root.parent / "ran").read_text()
    with pytest.raises(UserError, match="without-rs-s1: train_rdg has not run"):
        make_table(root / "birds.yaml", only_write=True, out=page)
    assert "1 experiments of 1 rows" in page.read_text()
    assert (root.parent / "ran").read_text() == ran


def test_rows_alone_do_not_replace_the_page_of_the_whole_list(root: Path) -> None:
    with pytest.raises(UserError, match=r"--rows; got no --out; .*birds-table\.md' is the whole"):
        make_table(root / "birds.yaml", rows=["s2igan"])
    assert not (root.parent / "ran").exists()


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(root: Path) -> None:
    with pytest.raises(UserError, match=r"--out; got a folder '.*'; expected a file such as page"):
        make_table(root / "birds.yaml", out=root)
    with pytest.raises(FileExistsError):
        make_table(root / "birds.yaml", out=root / "birds.yaml" / "page.md")
    assert not (root.parent / "ran").exists()


def test_dvc_must_be_there_where_it_is_asked_for(root: Path) -> None:
    with pytest.raises(UserError, match="--with plain"):
        make_table(root / "birds.yaml", runner="dvc")
