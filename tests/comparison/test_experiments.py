"""Experiments of DVC: found by parameters and code, queued under names that are free."""

import json
import os
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from hypothesis import given
from hypothesis import strategies as st

from s2igan.comparison.experiments import ExperimentRunner, Task, override
from s2igan.comparison.outcome import Failure, Outcome
from s2igan.comparison.variants import Variant
from s2igan.config import Params
from s2igan.errors import UserError
from tests.comparison.fake import make_repository
from tests.comparison.results import figure, params, variant


class Repository:
    """A Git repository that holds experiments as DVC keeps them, and answers as DVC does."""

    def __init__(self, root: Path, top: str = ".") -> None:
        self.root = make_repository(root)
        self.said: list[tuple[str, ...]] = []
        self.queue: list[Task] = []
        self.failing: dict[str, str] = {}
        self.workers = "1 active, 0 idle"
        self.ending: dict[int, str] = {}  # experiments by the number of looks at the queue before
        self.write_params(variant())
        self.git("init", "-qb", "main", top)
        self.commit()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments],
            cwd=self.root,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write_params(self, of: Variant) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump(of.values))

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "A state", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def finish(self, name: str, of: Variant, value: float = 1.0) -> str:
        """Leave an experiment's commit and reference, and the workspace as it was."""
        head = self.git("rev-parse", "HEAD")
        self.write_params(of)
        (self.root / "metrics").mkdir(exist_ok=True)
        metrics = json.dumps({"model": figure(value)})
        (self.root / "metrics" / "generation.json").write_text(metrics)
        revision = self.commit()
        self.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", revision)
        self.git("reset", "-q", "--hard", head)
        return revision

    def dvc(self, *arguments: str, **_options: Any) -> str:
        if name := self.ending.pop(self.said.count(("queue", "status")), None):
            self.finish(name, variant())
        self.said.append(arguments)
        if arguments[:2] == ("queue", "status"):
            rows = [f"{t.revision[:7]}  {t.name}  10:01 AM  {t.state}" for t in self.queue]
            workers = f"Worker status: {self.workers}"
            return "\n".join(["Task  Name  Created  Status", *rows, workers])
        if arguments[:2] == ("queue", "logs"):
            assert arguments[2] == "f" * 7
            (told,) = self.failing.values()
            return f"device: cpu\n{told}\nERROR: failed to reproduce 'x'\n"
        if arguments[:2] == ("queue", "start"):
            for task in self.queue:
                if task.name in self.failing:
                    self.queue = [Task("f" * 7, task.name, "Failed")]
        return ""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repository")
    monkeypatch.setattr(ExperimentRunner, "_dvc", lambda _self, *a, **o: made.dvc(*a, **o))
    return made


def runner(repository: Repository) -> ExperimentRunner:
    return ExperimentRunner(repository.root, poll_s=0.01, queue_every=1)


def without_rs() -> Variant:
    known = params()
    rdg = known.rdg.model_copy(update={"use_rs": False, "augment": []})
    return variant("without-rs", 1, known.model_copy(update={"rdg": rdg}))


PROGRAMS = [
    {},
    {"flite": "flite -voice {voice} -t {text} -o {file}"},
    {"flite": "flite -t {text} -o {file}", "a": 'sh -c \'printf "%s\\n" "$1"\' sh {text} {file}'},
]


def of_programs(programs: dict[str, str]) -> Variant:
    known = params()
    tts = known.tts.model_copy(update={"programs": programs})
    return variant(values=known.model_copy(update={"tts": tts}))


def test_an_experiment_is_found_by_its_parameters_whatever_its_number(
    repository: Repository,
) -> None:
    repository.finish("without-rs-s1", variant(), value=1.0)
    repository.finish("without-rs-s1-2", without_rs(), value=2.0)
    (found,) = runner(repository).find([without_rs()])
    assert isinstance(found, Outcome)
    assert found.value("model") == 2.0
    assert found.read("plots/absent.png") is None
    (absent,) = runner(repository).find([variant("s2igan", 1)])
    assert isinstance(absent, Failure)


def test_a_folder_of_a_larger_repository_finds_its_experiments(tmp_path: Path) -> None:
    nested = Repository(tmp_path / "ours" / "speech", top="..")
    nested.finish("s2igan-s1", variant(), value=2.0)
    (found,) = runner(nested).find([variant()])
    assert isinstance(found, Outcome)
    assert found.value("model") == 2.0


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("stages/train_rdg.py", True),
        ("stages/queries.yaml", True),
        ("data/list.txt", True),
        ("dvc.yaml", True),
        ("a.txt", False),
    ],
)
def test_an_experiment_of_other_code_or_inputs_is_not_taken(
    repository: Repository, path: str, counts: bool
) -> None:
    repository.finish("s2igan-s1", variant())
    with (repository.root / path).open("a") as file:
        file.write("\n# changed\n")
    (found,) = runner(repository).find([variant()])
    assert isinstance(found, Failure) is counts


def test_nothing_is_queued_that_is_there(repository: Repository) -> None:
    repository.finish("s2igan-s1", variant())
    (found,) = runner(repository).run([variant()])
    assert isinstance(found, Outcome)
    assert repository.said == []


def test_what_is_missing_is_queued_with_the_parameters_that_differ(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dvc(_self: ExperimentRunner, *arguments: str, **_options: Any) -> str:
        if arguments[:2] == ("queue", "start"):
            repository.finish("without-rs-s1-2", without_rs(), value=3.0)
        return repository.dvc(*arguments)

    monkeypatch.setattr(ExperimentRunner, "_dvc", dvc)
    repository.finish("without-rs-s1", variant())
    (found,) = runner(repository).run([without_rs()])
    assert isinstance(found, Outcome)
    assert found.value("model") == 3.0
    queued = [words for words in repository.said if words[:2] == ("exp", "run")]
    assert queued == [
        (
            *("exp", "run", "--queue", "--name", "without-rs-s1-2"),
            *("--set-param=rdg.use_rs=false", "--set-param=rdg.augment=[]"),
        )
    ]


def test_each_is_told_when_it_ends(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.ending[5] = "s2igan-s1"
    repository.write_params(without_rs())
    repository.failing["without-rs-s1"] = "train_rdg: rdg.steps; got 0"
    repository.queue = [Task(repository.commit(), "without-rs-s1", "Queued")]
    runner(repository).run([variant(), without_rs()])
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "table: without-rs-s1 failed: train_rdg: rdg.steps; got 0; 1 to go",
        "table: s2igan-s1 is done; 0 to go",
    ]


def test_what_fails_is_told_by_its_log(repository: Repository) -> None:
    repository.write_params(without_rs())
    revision = repository.commit()
    repository.failing["without-rs-s1"] = "train_rdg: rdg.steps; got 0"
    repository.queue = [Task(revision, "without-rs-s1", "Queued")]
    (found,) = runner(repository).run([without_rs()])
    assert isinstance(found, Failure)
    assert found.reason == "train_rdg: rdg.steps; got 0"
    assert not [words for words in repository.said if words[:2] == ("exp", "run")]


def test_an_earlier_failure_under_the_same_name_is_another_one(repository: Repository) -> None:
    repository.queue = [Task("e" * 7, "s2igan-s1", "Failed")]
    repository.ending[5] = "s2igan-s1"
    (found,) = runner(repository).run([variant()])
    assert isinstance(found, Outcome)


@pytest.mark.parametrize(
    ("workers", "alive"),
    [("10 active, 0 idle", True), ("0 active, 10 idle", True), ("0 active, 0 idle", False)],
)
def test_a_queue_is_given_up_where_nothing_works_on_it(
    repository: Repository, workers: str, alive: bool
) -> None:
    repository.ending[10] = "s2igan-s1"
    repository.workers = workers
    (found,) = runner(repository).run([variant()])
    assert isinstance(found, Outcome) is alive
    assert alive or (isinstance(found, Failure) and found.reason == "DVC's worker ended")


@pytest.mark.parametrize("old", PROGRAMS)
@pytest.mark.parametrize("new", PROGRAMS)
def test_what_is_queued_has_the_variants_own_programs_and_no_other(
    repository: Repository, old: dict[str, str], new: dict[str, str]
) -> None:
    file = repository.root / "params.yaml"
    repository.write_params(of_programs(old))
    before = file.read_text()
    repository.ending[1] = "s2igan-s1"
    runner(repository).run([of_programs(new)])
    (queued,) = [words for words in repository.said if words[:2] == ("exp", "run")]
    file.write_text(before)
    apply_overrides(file, [word.removeprefix("--set-param=") for word in queued[5:]])
    assert Params.model_validate(yaml.safe_load(file.read_text())) == of_programs(new).params


def test_a_key_that_the_workspace_lacks_is_added(repository: Repository) -> None:
    values = variant().values
    del values["rdg"]["use_rs"]
    file = repository.root / "params.yaml"
    file.write_text(yaml.safe_dump(values))
    repository.ending[1] = "s2igan-s1"
    runner(repository).run([variant()])
    (queued,) = [words for words in repository.said if words[:2] == ("exp", "run")]
    assert queued[5:] == ("--set-param=+rdg.use_rs=true",)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e-06, "1e-06"),
        ("en-us+m1", '"en-us+m1"'),
        ([], "[]"),
        (["a/b", 2], '["a/b",2]'),
    ],
)
def test_values_are_written_as_dvc_reads_them(value: object, text: str) -> None:
    assert override(value) == text


@given(st.text(alphabet="\\\\\"'${}\n é%=,:~#[]", max_size=8))
def test_any_string_arrives_as_it_is(text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "params.yaml")
        file.write_text("tts:\n  voices: []\n  programs: {}\n")
        both = [f"tts.voices={override([text, text])}", f"+tts.programs.a={override(text)}"]
        apply_overrides(file, both)
        assert yaml.safe_load(file.read_text()) == {
            "tts": {"voices": [text, text], "programs": {"a": text}}
        }


LEAVES_A_WORKER = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99); open('ended', 'w')"])
print(worker.pid)
sys.stderr.write("a queue\\n")
"""


def test_an_error_of_dvc_is_told_and_not_where_it_offers_help(tmp_path: Path) -> None:
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc" / "__init__.py").touch()
    (tmp_path / "dvc" / "__main__.py").write_text(
        'raise SystemExit("ERROR: unexpected error - no disk\\n\\nHaving any troubles? Hit us up")'
    )
    with pytest.raises(UserError, match=r"dvc queue status; got ERROR: unexpected .* no disk$"):
        ExperimentRunner(tmp_path)._dvc("queue", "status")


def test_the_queue_is_started_without_waiting_for_its_worker(tmp_path: Path) -> None:
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc" / "__init__.py").touch()
    (tmp_path / "dvc" / "__main__.py").write_text(LEAVES_A_WORKER)
    worker, told = ExperimentRunner(tmp_path)._dvc("queue", "start").splitlines()
    os.kill(int(worker), signal.SIGKILL)
    assert not (tmp_path / "ended").exists()
    assert told == "a queue"
