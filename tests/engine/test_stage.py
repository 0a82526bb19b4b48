"""What a stage does around its one function."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.folders import fresh_folder
from s2igan.engine.runtime import usable_cores
from s2igan.engine.section import Section
from s2igan.engine.session import Session
from s2igan.engine.stage import MEMORY_KNOBS, Paths, Stage
from s2igan.engine.strict_yaml import read_yaml
from s2igan.engine.tracking import RunIdentity, Tracker
from s2igan.errors import UserError


class Sen(Section):
    steps: int = 3
    precision: str = "bfloat16"


class Experiment(Section):
    sen: Sen = Sen()


def read(path: Path) -> Experiment:
    return Experiment(sen=Sen(steps=int(path.read_text())))


Run = Callable[[Experiment, Paths, Session], None]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "params.yaml").write_text("5")
    (tmp_path / "corpus").mkdir()
    return tmp_path


def start(workplace: Path, run: Run, *, corpus: str = "corpus") -> int:
    stage = Stage("train_sen", "sen", ["corpus"], ["sen", "curves"], read, run, resumes=True)
    arguments = {"params": "params.yaml", "corpus": corpus, "sen": "sen", "curves": "c.tsv"}
    argv = [part for name, path in arguments.items() for part in (f"--{name}", workplace / path)]
    return stage.main([str(part) for part in argv])


def test_the_function_gets_parameters_paths_and_a_session(workplace: Path) -> None:
    seen: list[tuple[int, str, int]] = []

    def run(params: Experiment, paths: Paths, session: Session) -> None:
        seen.append((params.sen.steps, paths["corpus"].name, session.workers))

    assert start(workplace, run) == 0
    assert seen == [(5, "corpus", usable_cores())]


def test_a_session_keeps_checkpoints_as_often_as_the_machine_asks(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def run(_params: Experiment, _paths: Paths, session: Session) -> None:
        seen.append(session.checkpoint_seconds)

    assert start(workplace, run) == 0
    monkeypatch.setenv("S2IGAN_CHECKPOINT_MINUTES", "0.5")
    assert start(workplace, run) == 0
    assert seen == [600.0, 30.0]


def test_of_a_stage_that_shares_nothing_the_first_process_runs(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    idle = "train_sen: nothing to do as process 1 of 2 (RANK and WORLD_SIZE); the first one does it"
    for rank, told in (("1", f"{idle}\n"), ("0", "")):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert start(workplace, lambda *_: ran.append("it ran")) == 0
        assert len(ran) == 1 - int(rank)
        assert capsys.readouterr().err == told


def test_bad_input_is_one_line_and_exit_code_2(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_params: Experiment, _paths: Paths, _session: Session) -> None:
        raise UserError("caption 3 of 'image_7'", got="'{}'\nagain", expected="words")

    assert start(workplace, run) == 2
    assert capsys.readouterr().err == (
        "train_sen: caption 3 of 'image_7'; got '{}' again; expected words\n"
    )


def test_a_missing_input_is_told_before_anything_runs(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(workplace, lambda *_: pytest.fail("it ran"), corpus="absent") == 2
    told = capsys.readouterr().err
    assert "absent" in told
    assert told.count("\n") == 1


def test_a_file_that_may_not_be_read_is_named_in_one_line(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_params: Experiment, paths: Paths, _session: Session) -> None:
        raise PermissionError(13, os.strerror(13), str(paths["corpus"] / "index.parquet"))

    assert start(workplace, run) == 2
    assert re.fullmatch(
        r"train_sen: '.*corpus/index\.parquet'; got Permission denied\n", capsys.readouterr().err
    )


@pytest.mark.parametrize("number", [28, 122])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    workplace: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def run(_params: Experiment, paths: Paths, _session: Session) -> None:
        paths["curves"].write_text("step\tlo")
        with fresh_folder(paths["sen"]) as out:
            (out / "half").write_text("x")
            raise RuntimeError("writing failed") from OSError(number, os.strerror(number))

    assert start(workplace, run) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert sorted(path.name for path in workplace.iterdir()) == [".s2igan", "corpus", "params.yaml"]


def test_memory_that_runs_out_is_told_with_the_parameter_to_lower(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total")

    argv = ["--params", str(workplace / "params.yaml")]
    for on_device in (True, False):
        assert Stage("tts", "sen", [], [], read, run, uses_device=on_device).main(argv) == 2
    lines = capsys.readouterr().err.splitlines()[-2:]
    what = "tts: out of memory; got CUDA out of memory. Tried to allocate 2.00 GiB.;"
    advice = ["lower tts.tacotron2.batch", "lower workers (S2IGAN_WORKERS)"]
    assert lines == [f"{what} {each}" for each in advice]


def test_the_parameters_to_lower_are_parameters(repository: Path) -> None:
    values = read_yaml(repository / "params.yaml")
    for knob in MEMORY_KNOBS.values():
        found: Any = values
        for key in knob.split("."):
            found = found[key]
        assert isinstance(found, int)


def test_a_file_of_an_earlier_run_that_was_not_touched_stays(workplace: Path) -> None:
    (workplace / "c.tsv").write_text("step\n")

    def run(*_: object) -> None:
        raise UserError("nothing to do")

    assert start(workplace, run) == 2
    assert (workplace / "c.tsv").read_text() == "step\n"


def test_a_folder_that_was_written_before_the_failure_stays(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "sen").mkdir()

    def run(_params: Experiment, paths: Paths, _session: Session) -> None:
        with fresh_folder(paths["sen"]) as partial:
            (partial / "weights").touch()
        paths["curves"].write_text("half")
        raise UserError("corpus", got="nothing")

    assert start(workplace, run) == 2
    assert capsys.readouterr().err == "train_sen: corpus; got nothing\n"
    assert (workplace / "sen" / "weights").is_file()
    assert not (workplace / "c.tsv").exists()


def test_an_error_of_the_program_keeps_its_trace(workplace: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        start(workplace, lambda *_: print(1 // 0))  # noqa: T201


def test_a_terminated_stage_cleans_up(workplace: Path) -> None:
    def run(_params: Experiment, paths: Paths, _session: Session) -> None:
        with fresh_folder(paths["sen"]):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        start(workplace, run)
    assert caught.value.code == 143
    assert not list(workplace.glob("*sen*"))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_interrupted_run_resumes_and_success_deletes_its_checkpoint(workplace: Path) -> None:
    loaded: list[object] = []

    def run(_params: Experiment, _paths: Paths, session: Session) -> None:
        loaded.append(session.checkpoints.load())
        if len(loaded) == 1:
            session.checkpoints.save({"step": 2})
            raise UserError("stopped")

    assert [start(workplace, run) for _ in range(3)] == [2, 0, 0]
    assert loaded == [None, {"step": 2}, None]


def test_a_stage_that_is_interrupted_as_its_run_is_closed_has_its_checkpoint(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []

    @contextmanager
    def slow(*_: object, **__: object) -> Iterator[Tracker]:
        yield Tracker()
        if len(loaded) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    def run(_params: Experiment, paths: Paths, session: Session) -> None:
        loaded.append(session.checkpoints.load())
        session.checkpoints.save({"step": 5})
        paths["curves"].write_text("step\n")

    monkeypatch.setattr("s2igan.engine.stage.open_tracker", slow)
    assert [start(workplace, run) for _ in range(3)] == [130, 0, 0]
    assert loaded == [None, {"step": 5}, None]


def test_checkpoints_are_deleted_under_their_lock(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        CheckpointStore, "clear", lambda _: locked.append(start(workplace, lambda *_: None))
    )
    locked: list[int] = []
    assert start(workplace, lambda *_: None) == 0
    assert locked == [2]


@pytest.mark.parametrize("change", ["parameter", "input"])
def test_what_has_changed_starts_at_step_0(workplace: Path, change: str) -> None:
    loaded: list[object] = []

    def run(_params: Experiment, _paths: Paths, session: Session) -> None:
        loaded.append(session.checkpoints.load())
        session.checkpoints.save({"step": 2})
        raise UserError("stopped")

    start(workplace, run)
    path = {"parameter": "params.yaml", "input": "corpus/index.parquet"}[change]
    (workplace / path).write_text("6")
    start(workplace, run)
    assert loaded == [None, None]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "params.yaml",
            r"train_sen: its parameters in '.*params\.yaml'; got changes since it began; ",
        ),
        ("corpus/index.parquet", "train_sen: its inputs and source files; got changes since it "),
    ],
)
def test_what_changes_during_a_run_is_not_taken_for_what_it_began_with(
    workplace: Path, capsys: pytest.CaptureFixture[str], path: str, told: str
) -> None:
    loaded: list[object] = []
    changed = workplace / path
    changed.write_text("5")

    def run(_params: Experiment, paths: Paths, session: Session) -> None:
        loaded.append(session.checkpoints.load())
        session.checkpoints.save({"step": 5})
        paths["curves"].write_text("step\n")
        if len(loaded) == 1:
            changed.write_text("6")

    assert start(workplace, run) == 2
    assert re.match(told, capsys.readouterr().err)
    assert not (workplace / "c.tsv").exists()
    assert start(workplace, run) == 0  # what is there now
    changed.write_text("5")
    assert start(workplace, run) == 0  # what was there first
    assert loaded == [None, None, {"step": 5}]


def test_a_network_of_another_stage_leaves_the_key_as_it_is(tmp_path: Path) -> None:
    lists, other = tmp_path / "weights" / "features.json", tmp_path / "weights" / "judge.pth"
    stage = Stage("train_rdg", "sen", ["weights"], [], read, lambda *_: None)
    other.parent.mkdir()
    keys = []
    for path, content in ((lists, "{}"), (other, "1"), (other, "2"), (lists, '{"net": 1}')):
        path.write_text(content)
        keys.append(stage.key(Experiment(), {"weights": path.parent}, []))
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_what_a_stage_reads_of_other_sections_counts_in_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Two(Experiment):
        rdg: Sen = Sen()

    stage: Stage[Two] = Stage("download", "sen", [], [], lambda _: Two(), lambda *_: None)
    changes = [Two(), Two(rdg=Sen(steps=4)), Two(rdg=Sen(precision="float32"))]
    monkeypatch.setattr("s2igan.engine.stage.OF_OTHER_SECTIONS", {"download": ["rdg.steps"]})
    keys = [stage.key(params, {}, []) for params in changes]
    assert keys[0] == keys[2] != keys[1]


def test_checkpoints_are_kept_only_where_a_stage_resumes(workplace: Path) -> None:
    stores: list[CheckpointStore] = []
    stage = Stage("tts", "sen", [], [], read, lambda *all_: stores.append(all_[2].checkpoints))
    assert stage.main(["--params", str(workplace / "params.yaml")]) == 0
    stores[0].save({"step": 1})
    assert stores[0].load() is None


def test_a_stage_that_computes_on_no_device_loads_no_torch(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    chosen: list[object] = []
    stage = Stage("tts", "sen", [], [], read, lambda *all_: chosen.append(all_[2].chosen))
    assert stage.main(["--params", str(workplace / "params.yaml")]) == 0
    assert chosen == [None]


@pytest.mark.parametrize(("steps", "said"), [(5, True), (6, False)])
def test_a_device_is_chosen_where_the_parameters_need_one(
    workplace: Path, capsys: pytest.CaptureFixture[str], steps: int, said: bool
) -> None:
    (workplace / "params.yaml").write_text(str(steps))
    stage = Stage(
        "tts",
        "sen",
        [],
        [],
        read,
        lambda *_: None,
        uses_device=lambda params: params.sen.steps == 5,
    )
    assert stage.main(["--params", str(workplace / "params.yaml")]) == 0
    assert ("device: cpu" in capsys.readouterr().err) == said


@pytest.mark.parametrize(
    ("on_device", "usable", "named"),
    [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "")],
)
def test_a_run_names_the_precision_that_it_was_computed_in(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, on_device: bool, usable: bool, named: str
) -> None:
    told: list[object] = []

    def identified(*_: object, **own: object) -> RunIdentity:
        told.append(own["precision"])
        return RunIdentity("tts", "", {})

    monkeypatch.setattr("s2igan.engine.stage.identify", identified)
    monkeypatch.setattr("s2igan.engine.device._computes_bfloat16", lambda _: usable)
    stage = Stage("tts", "sen", [], [], read, lambda *_: None, uses_device=on_device)
    assert stage.main(["--params", str(workplace / "params.yaml")]) == 0
    assert told == [named]
