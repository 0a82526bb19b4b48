import os
from pathlib import Path

import pytest

from s2igan.engine.runtime import (
    Runtime,
    read_runtime,
    repository_root,
    state_folder,
    usable_cores,
)
from s2igan.errors import UserError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for name in ("S2IGAN_TRACKING", "S2IGAN_DEVICE"):
        monkeypatch.delenv(name)
    return tmp_path


def test_defaults(root: Path) -> None:
    assert read_runtime() == Runtime()
    assert state_folder() == root / ".s2igan"


def test_where_no_process_is_bound_to_cores_all_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7


def test_relative_paths_are_anchored_at_the_root(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "runtime.yaml").write_text("archives: ../pictures\nworkers: 3\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    runtime = read_runtime()
    assert runtime.archives_folder == root / "../pictures"
    assert runtime.workers == 3


def test_without_a_folder_archives_lie_in_the_state_folder(root: Path) -> None:
    own = root / ".s2igan" / "archives"
    assert read_runtime().archive_folders == (own,)
    assert read_runtime().archive_store == own


def test_archives_go_to_the_folder_that_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2IGAN_ARCHIVES", "shelf/not/yet/there")
    folder = root / "shelf/not/yet/there"
    assert read_runtime().archive_folders == (folder, root / ".s2igan" / "archives")
    assert read_runtime().archive_store == folder


def test_a_home_may_be_written_as_a_tilde(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root / "home"))
    (root / "runtime.yaml").write_text("archives: ~/arch\n")
    assert read_runtime().archives_folder == root / "home" / "arch"
    monkeypatch.setenv("S2IGAN_ARCHIVES", "~/other")
    assert read_runtime().archives_folder == root / "home" / "other"


def test_archives_go_elsewhere_where_that_folder_is_read_only(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2IGAN_ARCHIVES", "shelf")
    shelf = root / "shelf"
    shelf.mkdir()
    # Permissions do not bind the superuser, as whom tests may run.
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != shelf)
    assert read_runtime().archive_folders[0] == shelf
    assert read_runtime().archive_store == root / ".s2igan" / "archives"


def test_a_variable_wins_over_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "runtime.yaml").write_text("workers: 3\ntracking: off\ncheckpoint_minutes: 5\n")
    monkeypatch.setenv("S2IGAN_WORKERS", "5")
    assert read_runtime().checkpoint_minutes == 5
    monkeypatch.setenv("S2IGAN_CHECKPOINT_MINUTES", "0.5")
    assert read_runtime().checkpoint_minutes == 0.5
    assert read_runtime().workers == 5
    assert read_runtime().tracking == "off"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DEVICE", "gpu", "'gpu'; expected auto, cpu, cuda"),
        ("WORKERS", "0", "0; expected greater than or equal to 1"),
        ("WORKERS", "-1", "-1; expected greater than or equal to 1"),
        ("WORKERS", "1.5", "1.5; expected a valid integer"),
        ("WORKERS", "two", "'two'; expected a valid integer"),
        ("PROCESSES", "-2", "-2; expected auto, or a number from 1"),
        ("TRACKING", "maybe", "'maybe'; expected 'mlflow' or 'off'"),
        ("CHECKPOINT_MINUTES", "0", "0; expected greater than 0"),
        ("CHECKPOINT_MINUTES", "-0.5", "-0.5; expected greater than 0"),
    ],
)
@pytest.mark.usefixtures("root")
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"S2IGAN_{variable}", value)
    with pytest.raises(UserError, match=f"S2IGAN_{variable}; got {said}"):
        read_runtime()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("gpu: 1", r"gpu in .*runtime\.yaml'; got 1; expected one of device, processes, workers"),
        ("1: 2", "expected one of device, processes, workers"),
        ("device: gpu", "got 'gpu'; expected auto, cpu, cuda or cuda:N$"),
        ("device: cuda:01", "got 'cuda:01'; expected auto, cpu, cuda or cuda:N$"),
        ("processes: 0", "got 0; expected auto, or a number from 1$"),
    ],
)
def test_what_would_have_been_right_is_said(root: Path, written: str, said: str) -> None:
    (root / "runtime.yaml").write_text(written)
    with pytest.raises(UserError, match=said):
        read_runtime()


def test_settings_that_cannot_be_read_are_not_left_out(root: Path) -> None:
    (root / "runtime.yaml").symlink_to(root / "gone.yaml")
    with pytest.raises(UserError, match=r"runtime\.yaml'; got No such file"):
        read_runtime()


def test_without_dvc_the_root_is_the_repository(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT")
    (root / ".git").mkdir()
    (root / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(root / "a" / "b")
    assert repository_root() == root
