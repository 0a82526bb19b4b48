"""A fresh clone of this repository in which the smoke preset has run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
OFFLINE = Path(__file__).parent / "offline"
SMALL = {
    "metrics/retrieval.json",
    "metrics/generation.json",
    "metrics/classes.tsv",
    "plots/sen_curves.tsv",
    "plots/rdg_curves.tsv",
    "plots/training_grid.png",
    "plots/samples_grid.png",
    "plots/samples_row.png",
    "plots/swap_grid.png",
}
"""Outputs that lie in Git: figures, and pictures and curves to look at."""


@dataclass(frozen=True)
class Clone:
    """A repository in a folder of its own, with the environment that its commands see."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str, check: bool = True, **variables: str) -> str:
        """Run a command and return what it said, on stdout and stderr together."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout[-4000:]
        return done.stdout

    def connections(self) -> list[str]:
        """Return where any process wanted to connect to; the name lookups among them."""
        record = Path(self.environment["CONNECTIONS"])
        return record.read_text(encoding="utf-8").splitlines() if record.exists() else []

    def changed(self) -> set[str]:
        """Return what `git status` lists."""
        lines = self.run("git", "status", "--porcelain", "-uall").splitlines()
        return {line[3:] for line in lines}

    def commit(self, message: str) -> None:
        """Commit everything that is not ignored."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


def environment(home: Path) -> dict[str, str]:
    """Return an environment with this Python first, no network, and no machine's settings."""
    # Of the make that runs the tests, another make would speak as one inside of it, and take over
    # the variables that it was given.
    left_out = ("S2IGAN_", "DVC_", "MLFLOW_", "MAKE", "MFLAGS")
    named = {"METRIC", "MODEL", "WITH", "JOBS", "TABLE", "URL", "ENDPOINT"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out) and k not in named}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(OFFLINE),
        "CONNECTIONS": str(home / "connections"),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "DVC_NO_ANALYTICS": "true",
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "OMP_NUM_THREADS": "1",
        "S2IGAN_DEVICE": "cpu",
        "S2IGAN_TRACKING": "off",
        "S2IGAN_WORKERS": "1",
    }


def clone_into(folder: Path) -> Clone:
    """Copy what is committed or would be, with the smoke preset as its parameters."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "presets" / "smoke.yaml", folder / "params.yaml")
    home = folder.with_name(f"{folder.name}_home")
    home.mkdir()
    clone = Clone(folder, environment(home))
    clone.run("git", "init", "-qb", "main")
    clone.commit("A fresh clone")
    return clone


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A fresh clone in which `dvc repro` has run once, for all of pytest's workers."""
    own = tmp_path_factory.mktemp("spoken")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _spoken(own)
    made = tmp_path_factory.getbasetemp().with_name("spoken")
    with FileLock(made.with_suffix(".lock")):
        if not made.is_dir():
            _spoken(own)
            shutil.copytree(own, made, symlinks=True)
        else:
            shutil.copytree(made, own, symlinks=True, dirs_exist_ok=True)
    return Clone(own / "clone", environment(own / "clone_home"))


def _spoken(folder: Path) -> Clone:
    clone = clone_into(folder / "clone")
    clone.run("dvc", "repro")
    return clone


@pytest.fixture
def inside(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """That clone, with this process in its folder and environment."""
    import torch  # which other tests that need this module do without

    monkeypatch.chdir(fresh.folder)
    monkeypatch.delenv("DVC_ROOT")
    for name in ("OMP_NUM_THREADS", "S2IGAN_WORKERS"):
        monkeypatch.setenv(name, fresh.environment[name])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield fresh
    torch.set_num_threads(threads)
