"""What one clone computed, another one has after `make pull`, without running a stage."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.conftest import Clone, environment
from tests.sharing.buckets import Server, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def member(source: Path, folder: Path, server: Server) -> Clone:
    """Return a copy of a folder as a clone with a home, a cache and credentials of its own."""
    shutil.copytree(source, folder, symlinks=True)
    home = folder.with_name(f"{folder.name}_home")
    home.mkdir()
    clone = Clone(folder, environment(home) | server.keys)
    # The environment that `make` would build.
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in {"python": "", "dvc": "-m dvc"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        (programs / name).chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return clone


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in (folder / "artifacts").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.long
def test_a_clone_with_an_empty_cache_pulls_what_another_pushed(
    fresh: Clone, server: Server, tmp_path: Path
) -> None:
    server.create_bucket("team")
    one = member(fresh.folder, tmp_path / "one", server)
    one.run("make", "remote", "URL=s3://team/s2igan", f"ENDPOINT={server.endpoint}")
    one.commit("Outputs and where they are shared")
    assert "to s3://team/s2igan" in one.run("make", "push")
    one.run("git", "clone", "-q", str(one.folder), str(tmp_path / "cloned"))
    two = member(tmp_path / "cloned", tmp_path / "two", server)
    assert not (two.folder / "artifacts").exists()
    assert "from s3://team/s2igan" in two.run("make", "pull")  # the endpoint came with the clone
    assert files(two.folder) == files(one.folder)
    assert "Running stage" not in two.run("dvc", "repro")
    assert two.changed() == set()
    assert one.connections() == two.connections() == []
