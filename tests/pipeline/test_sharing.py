"""What one clone computed, another one has after `make pull`, without running a stage."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.conftest import ROOT, Clone, environment
from tests.sharing.buckets import HOST, Server, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def member(source: Path, folder: Path, server: Server) -> Clone:
    """Return a copy of a folder as a clone with a home, a cache and credentials of its own."""
    shutil.copytree(source, folder, symlinks=True)
    home = folder.with_name(f"{folder.name}_home")
    home.mkdir()
    clone = Clone(folder, {**environment(home), **server.keys, "ALLOWED_HOST": HOST})
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
    # The endpoint is each machine's own.
    assert "from s3://team/s2igan" in two.run("make", "pull", AWS_ENDPOINT_URL=server.endpoint)
    assert files(two.folder) == files(one.folder)
    assert "Running stage" not in two.run("dvc", "repro")
    assert two.changed() == set()
    assert one.connections() == two.connections() == []


def test_make_remote_without_an_address_says_what_it_takes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    shutil.copyfile(ROOT / "Makefile", tmp_path / "bare" / "Makefile")
    clone = member(tmp_path / "bare", tmp_path / "one", server)
    for name in ("requirements.lock", "pyproject.toml"):
        (clone.folder / name).touch()
    os.utime(clone.folder / ".venv" / ".ready")
    assert "make remote URL=s3://bucket/folder" in clone.run("make", "remote", check=False)


@pytest.mark.parametrize(("version", "told"), [((3, 9, 6), "3.9"), ((3, 15, 0), "3.15")])
def test_make_says_which_python_will_not_do(
    version: tuple[int, ...], told: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    other = tmp_path / "other"
    script = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{script}" "$2"\n')
    other.chmod(0o755)
    without_uv = tmp_path / "programs"
    without_uv.mkdir()
    for name in ("make", "rm"):
        (without_uv / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        ["make", "env", f"PYTHON={other}"],
        cwd=tmp_path,
        env={"PATH": str(without_uv)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"make: {other}; got Python {told}; expected 3.11 to 3.14" in done.stderr
    assert not (tmp_path / ".venv").exists()
