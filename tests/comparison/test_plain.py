"""The plain runner on a small pipeline: it shares, resumes, and goes past what fails."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from s2igan.comparison.outcome import Failure, Outcome
from s2igan.comparison.pipeline import read_pipeline, with_ancestors
from s2igan.comparison.plain import PlainRunner, environment_of_jobs, hash_tree
from s2igan.comparison.variants import Variant
from s2igan.config import Params
from s2igan.errors import UserError
from tests.comparison.fake import make_repository
from tests.comparison.results import params, variant

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    return make_repository(tmp_path / "repository")


def runner(root: Path) -> PlainRunner:
    return PlainRunner(root, root / ".s2igan" / "tables")


def ran(root: Path) -> Counter[str]:
    path = root.parent / "ran"
    return Counter(path.read_text().split() if path.exists() else [])


def changed(section: str, **values: object) -> Params:
    known = params()
    part = getattr(known, section).model_copy(update=values)
    return known.model_copy(update={section: part})


def rows() -> list[Variant]:
    return [
        variant("s2igan", 1),
        variant("s2igan", 2, changed("rdg", seed=2)),
        variant("judged-twice", 1, changed("evaluate", seed=9)),
        variant("without-rs", 1, changed("rdg", use_rs=False)),
    ]


def test_rows_share_what_is_the_same_and_nothing_runs_twice(root: Path) -> None:
    results = runner(root).run(rows())
    assert all(isinstance(result, Outcome) for result in results)
    assert ran(root) == {"download": 1, "train_rdg": 3, "evaluate": 3}  # the same model twice
    values = [r.value("model") for r in results if isinstance(r, Outcome)]
    assert values == [11.0, 12.0, 11.0, 11.0]
    again = runner(root).run(rows())
    assert ran(root).total() == 7
    assert [r.read("plots/row.txt") for r in again if isinstance(r, Outcome)][1] == b"12"
    assert all(isinstance(result, Outcome) for result in runner(root).find(rows()))


def test_jobs_side_by_side_share_as_well(root: Path) -> None:
    several = PlainRunner(root, root / ".s2igan" / "tables", jobs=3)
    results = several.run(rows())
    assert ran(root) == {"download": 1, "train_rdg": 3, "evaluate": 3}
    assert [result.variant.name for result in results] == [each.name for each in rows()]
    values = [r.value("model") for r in results if isinstance(r, Outcome)]
    assert values == [11.0, 12.0, 11.0, 11.0]


def test_tables_that_run_at_once_keep_rows_of_one_name_apart(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, execute = runner(root), PlainRunner._execute

    def interleaved(self: PlainRunner, command: list[str], log: Path, name: str, lock: int) -> int:
        if self is first and "stages.train_rdg" in command:
            runner(root).run([variant("s2igan", 1, changed("rdg", seed=2))])
        return execute(self, command, log, name, lock)

    monkeypatch.setattr(PlainRunner, "_execute", interleaved)
    (result,) = first.run([variant("s2igan", 1)])
    assert isinstance(result, Outcome)
    assert result.value("model") == 11.0
    assert ran(root) == {"download": 1, "train_rdg": 2, "evaluate": 2}


def test_jobs_share_the_cores_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert "OMP_NUM_THREADS" not in environment_of_jobs(1)
    assert environment_of_jobs(3)["OMP_NUM_THREADS"] == "2"
    assert environment_of_jobs(16)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert environment_of_jobs(3)["OMP_NUM_THREADS"] == "5"


def test_a_stage_whose_record_is_damaged_runs_again(root: Path) -> None:
    runner(root).run(rows()[:1])
    (record,) = (root / ".s2igan" / "tables").glob("train_rdg-*/outputs.json")
    for times, left in enumerate(["", "{", "[]", "{}", "null"], start=2):
        record.write_text(left)
        (unfinished,) = runner(root).find(rows()[:1])
        assert isinstance(unfinished, Failure)
        assert unfinished.reason == "train_rdg has not run"
        (result,) = runner(root).run(rows()[:1])
        assert isinstance(result, Outcome)
        assert result.value("model") == 11.0
        assert ran(root) == {"download": 1, "train_rdg": times, "evaluate": 1}


def test_nothing_but_outputs_can_be_read(root: Path) -> None:
    (result,) = runner(root).run(rows()[:1])
    assert isinstance(result, Outcome)
    assert result.read("data/list.txt") is None
    assert result.read("metrics/absent.json") is None


def test_a_file_of_an_output_counts_by_its_bytes_alone(root: Path) -> None:
    # Another edition of the corpus changes the folder of weights but not the file that is read.
    deps = "    deps:\n"
    text = (root / "dvc.yaml").read_text()
    (root / "dvc.yaml").write_text(text.replace(f"{deps}      - artifacts/corpus\n", deps))
    runner(root).run(rows()[:1])
    runner(root).run([variant("other", 1, changed("corpus", seed=77))])
    assert ran(root) == {"download": 2, "train_rdg": 1, "evaluate": 1}


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("data/list.txt", {"download": 1}),
        ("stages/evaluate.py", {"evaluate": 1}),
        ("stages/train_rdg.py", {"train_rdg": 1}),
    ],
)
def test_changed_code_or_data_runs_again(root: Path, path: str, again: dict[str, int]) -> None:
    runner(root).run(rows()[:1])
    before = ran(root)
    (root / path).write_text((root / path).read_text() + "\n# changed\n")
    runner(root).run(rows()[:1])
    assert ran(root) - before == again  # what stands on the same bytes does not


def test_other_arguments_run_again(root: Path) -> None:
    runner(root).run(rows()[:1])
    pipeline = (root / "dvc.yaml").read_text()
    before = "--weights artifacts/weights\n      --rdg"
    assert before in pipeline
    after = "--weights artifacts/weights/rdg.json\n      --rdg"
    (root / "dvc.yaml").write_text(pipeline.replace(before, after))
    runner(root).run(rows()[:1])
    assert ran(root) == {"download": 1, "train_rdg": 2, "evaluate": 1}


def test_a_folder_is_known_by_the_names_and_bytes_of_its_files(tmp_path: Path) -> None:
    def hashed(name: str, **files: str) -> str:
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
        return hash_tree(tmp_path / name)

    whole = hashed("whole", a="xy", b="z")
    assert hashed("copy", b="z", a="xy") == whole
    others = hashed("moved", a="x", b="yz"), hashed("named", a="xy", c="z"), hashed("part", a="xyz")
    assert len({whole, *others}) == 4


def test_finding_runs_nothing(root: Path) -> None:
    (found,) = runner(root).find(rows()[:1])
    assert isinstance(found, Failure)
    assert found.reason == "download has not run"
    assert not ran(root)


def test_what_fails_is_told_in_one_line_and_the_others_go_on(root: Path) -> None:
    (root / "broken").touch()
    results = runner(root).run(rows())
    failure = results[3]
    assert isinstance(failure, Failure)
    assert failure.reason == "train_rdg: train_rdg: the relation is broken"
    assert [type(result) for result in results[:3]] == [Outcome] * 3
    left = [path.name for path in (root / ".s2igan" / "tables").iterdir()]
    assert not [name for name in left if name.endswith(".partial")]
    (root / "broken").unlink()
    assert isinstance(runner(root).run(rows())[3], Outcome)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stage_that_every_row_needs_fails_once(root: Path, jobs: int) -> None:
    (root / "data" / "list.txt").unlink()
    results = PlainRunner(root, root / ".s2igan" / "tables", jobs).run(rows())
    assert all(isinstance(result, Failure) for result in results)
    assert ran(root) == {"download": 1}


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from s2igan.comparison.plain import PlainRunner
from tests.comparison.test_plain import rows
root = Path(sys.argv[1])
PlainRunner(root, root / ".s2igan" / "tables", int(sys.argv[2])).run(rows())
"""


@pytest.mark.parametrize(
    ("number", "jobs"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1)]
)
def test_a_killed_run_goes_on_where_it_stopped(root: Path, number: int, jobs: int) -> None:
    (root / "slow").touch()
    command = [sys.executable, "-c", SCRIPT.format(root=str(ROOT)), str(root), str(jobs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 300
        while not ran(root)["train_rdg"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, number)
        process.communicate()
    assert process.returncode != 0
    folders = {p.name.split("-")[0] for p in (root / ".s2igan" / "tables").iterdir() if p.is_dir()}
    assert "train_rdg" not in folders
    (root / "slow").unlink()
    started = ran(root)["train_rdg"]
    assert started <= jobs
    results = runner(root).run(rows()[:1])
    assert isinstance(results[0], Outcome)
    assert ran(root) == {"download": 1, "train_rdg": started + 1, "evaluate": 1}


def test_a_stage_that_outlives_its_runner_keeps_others_away(root: Path) -> None:
    (root / "slow").touch()
    command = [sys.executable, "-c", SCRIPT.format(root=str(ROOT)), str(root), "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 300
        while not ran(root)["train_rdg"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()  # and not its group
        process.wait()
        (lock,) = (root / ".s2igan" / "tables").glob("train_rdg-*.lock")
        try:
            with lock.open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_the_pipeline_is_read_in_an_order_that_can_run(root: Path) -> None:
    text = (root / "dvc.yaml").read_text()
    head, first, rest = text.partition("  download:")
    moved = rest.index("  evaluate:")
    (root / "dvc.yaml").write_text(head + rest[moved:] + first + rest[:moved])
    stages = read_pipeline(root / "dvc.yaml")
    assert [stage.name for stage in stages] == ["download", "train_rdg", "evaluate"]
    assert stages[1].data == ("artifacts/corpus", "artifacts/weights/rdg.json")
    assert stages[2].outs == ("plots/row.txt", "metrics/generation.json")
    assert [s.name for s in with_ancestors(stages, stages[1])] == ["download", "train_rdg"]


def test_the_pipeline_of_this_repository_can_be_run_plainly() -> None:
    stages = read_pipeline(ROOT / "dvc.yaml")
    for stage in stages:
        assert stage.depends_on(params().model_dump(mode="json"))
        assert any(stage.writes(path) for path in stage.arguments.values())
        for path in stage.arguments.values():
            known = stage.writes(path) or any(path in other.outs for other in stages)
            assert known or (ROOT / path).exists()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("python -m stages.train_rdg", "bash train.sh", "stage train_rdg"),
        ("stages:", "steps:", "no stages"),
        ("      - data\n", "      - data\n      - artifacts/rdg\n", "a circle of"),
    ],
)
def test_a_pipeline_of_another_kind_is_told(root: Path, before: str, after: str, told: str) -> None:
    path = root / "dvc.yaml"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UserError, match=told):
        read_pipeline(path)
