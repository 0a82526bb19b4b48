"""Targets of the Makefile, in a clone whose path has a space and an apostrophe."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.pipeline.conftest import ROOT, Clone, environment


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """What make needs, and an environment in `.venv` whose programs say what they are told."""
    folder, home = tmp_path / "Ann's clone", tmp_path / "home"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    home.mkdir()
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    for name in ("python", "dvc", "mlflow"):
        write_program(programs / name, f'echo {name}; printf "<%s>\\n" "$@"')
    (folder / ".venv" / ".ready").touch()
    return Clone(folder, environment(home))


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_environment_is_built_where_the_clone_lies(clone: Clone, tmp_path: Path) -> None:
    write_program(tmp_path / "uv", 'echo "$VIRTUAL_ENV: $1 $2"')
    (clone.folder / ".venv" / ".ready").unlink()
    said = clone.run("make", "--silent", "env", PATH=f"{tmp_path}:{clone.environment['PATH']}")
    assert said.splitlines() == [f"{clone.folder / '.venv'}: pip install"] * 2
    assert (clone.folder / ".venv" / ".ready").exists()


def test_a_model_may_lie_in_a_folder_whose_name_has_a_space(clone: Clone) -> None:
    said = clone.run("make", "register", "MODEL=my birds", "METRIC=generation/fidelity/FID")
    assert said.splitlines()[-4:] == [
        "<--metric>",
        "<generation/fidelity/FID>",
        "<--model>",
        "<my birds>",
    ]


@pytest.mark.parametrize(
    ("target", "variables"), [("register", ("metric", "model")), ("table", ("with", "jobs"))]
)
def test_a_variable_that_is_empty_is_not_taken_for_the_default(
    clone: Clone, target: str, variables: tuple[str, ...]
) -> None:
    plain = clone.run("make", "--silent", target)
    empty = clone.run("make", "--silent", target, *(f"{name.upper()}=" for name in variables))
    assert empty == plain + "".join(f"<--{name}>\n<>\n" for name in variables)


@pytest.mark.parametrize(
    ("ran", "forced"),
    [((), False), (("sample",), True), (("sample", "evaluate"), False), (("download",), False)],
)
def test_figures_that_git_brought_are_taken_once_more(
    clone: Clone, ran: tuple[str, ...], forced: bool
) -> None:
    costs = clone.folder / ".s2igan" / "costs.jsonl"
    if ran:
        costs.parent.mkdir()
        costs.write_text("".join(json.dumps({"stage": name}) + "\n" for name in ran))
    said = clone.run("make", "--silent", "repro")
    assert said.startswith("dvc\n<repro>\n")
    assert ("dvc\n<repro>\n<--single-item>\n<--force>\n<evaluate>\n" in said) == forced


def test_the_pages_show_the_runs_of_the_clone(clone: Clone) -> None:
    assert f"\n<sqlite:///{clone.folder}/mlflow.db>\n" in clone.run("make", "ui")


@pytest.mark.parametrize("address", ["http://127.0.0.1:5500", "https://mlflow.example.org"])
def test_the_pages_of_a_server_are_named(clone: Clone, address: str) -> None:
    assert clone.run("make", "ui", MLFLOW_TRACKING_URI=address) == f"open {address}\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own
def test_a_remote_is_the_teams_and_older_commits_stay_readable(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(clone.folder / ".venv" / "bin" / "dvc", f'exec "{sys.executable}" -m dvc "$@"')
    (clone.folder / ".gitignore").write_text(".venv\n")
    clone.run("git", "init", "-qb", "main")
    clone.run("dvc", "init", "-q")
    clone.commit("No remote yet")
    shared, own = (clone.folder / ".dvc" / name for name in ("config", "config.local"))
    own.write_text(
        "[core]\n    remote = team\n['remote \"team\"']\n    endpointurl = https://of.yesterday\n"
    )
    endpoint = "https://minio.example.org:9000"
    clone.run("make", "remote", "URL=s3://one/s2igan", f"ENDPOINT={endpoint}")
    assert own.read_text().strip() == ""
    assert f"    endpointurl = {endpoint}\n" in shared.read_text()
    clone.commit("One remote")
    clone.run("make", "remote", "URL=s3://two/s2igan")
    assert "endpointurl" not in shared.read_text()
    clone.commit("Another remote")
    for name in ("HOME", "DVC_SITE_CACHE_DIR", "GIT_CONFIG_GLOBAL"):
        monkeypatch.setenv(name, clone.environment[name])
    remotes = []
    for commit in ("main~2", "main~1", "main"):
        clone.run("git", "checkout", "-q", commit)
        with Repo(str(clone.folder)) as repo:  # as the command does, which takes longer to start
            repo.status()
            urls = {name: remote["url"] for name, remote in repo.config["remote"].items()}
            remotes.append((repo.config["core"].get("remote"), urls))
    one, two = (("team", {"team": f"s3://{bucket}/s2igan"}) for bucket in ("one", "two"))
    assert remotes == [(None, {}), one, two]


def test_make_remote_without_an_address_says_what_it_takes(clone: Clone) -> None:
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
