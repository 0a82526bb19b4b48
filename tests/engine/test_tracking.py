"""Runs in MLflow: where they lie, how they nest, how they end."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2igan.engine import tracking
from s2igan.engine.showcase import show_all
from s2igan.engine.tracking import RunIdentity, Tracker, identify, metric_name, open_tracker

# MLflow's own use of its libraries is warned about, and is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repository")


@pytest.fixture
def client(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return mlflow.MlflowClient(tracking.tracking_uri())


def identity(stage: str, variant: str = "no-rs") -> RunIdentity:
    return RunIdentity(stage, variant, {"dvc.stage": stage, "dvc.exp_name": variant})


def run_of(client: Any, tracker: Tracker) -> Any:
    assert isinstance(tracker, tracking.MlflowTracker)
    return client.get_run(tracker.run_id)


def test_everything_arrives_under_the_repository(client: Any, root: Path, tmp_path: Path) -> None:
    model = tmp_path / "generator.safetensors"
    model.write_bytes(b"weights")
    with open_tracker(identity("train_rdg")) as tracker:
        tracker.params({"rdg.steps": 3, "rdg.betas": [0.5, 0.999], "rdg.dense": "paper"})
        tracker.log(1, {"loss/g": 2.0, "R@1": 0.5})
        tracker.log(2, {"loss/g": 1.0})
        tracker.picture("grid", np.zeros((8, 8, 3), np.uint8), 2)
        tracker.file(model, "model")
    run = run_of(client, tracker)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith((root / "mlruns").as_uri())
    assert run.data.params == {
        "rdg.steps": "3",
        "rdg.betas": "[0.5, 0.999]",
        "rdg.dense": "paper",
    }
    assert run.data.metrics == {"loss/g": 1.0, "R_at_1": 0.5}
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss/g")] == [1, 2]
    paths = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert paths == {"images", "model"}


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("", "sqlite:////repository/mlflow.db"),
        ("sqlite:///mlflow.db", "sqlite:////repository/mlflow.db"),
        ("sqlite:///runs/all.db", "sqlite:////repository/runs/all.db"),
        ("sqlite:////elsewhere/mlflow.db", "sqlite:////elsewhere/mlflow.db"),
        ("http://mlflow.example.org:5500", "http://mlflow.example.org:5500"),
    ],
)
def test_a_database_is_looked_for_from_the_repository(
    named: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", "/repository")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    assert tracking.tracking_uri() == meant


@pytest.mark.parametrize("name", ["feature%2Fbirds", "100%20", "why?"])
def test_a_repository_whose_path_an_address_would_change_is_told(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    if sqlalchemy.make_url(f"sqlite:///{name}").database == name:
        pytest.skip("before 2.1, SQLAlchemy takes a % as it is")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / name))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with open_tracker(identity("tts")) as tracker:
        assert type(tracker) is Tracker
    assert capsys.readouterr().err == (
        f"tracking: not tracked: % or ? in '{tmp_path / name}'; name a database elsewhere as "
        "MLFLOW_TRACKING_URI\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_the_pages_show_the_experiment_as_trainings(client: Any) -> None:
    def kind() -> str:
        experiment = client.get_experiment_by_name("s2igan")
        return str(experiment.tags["mlflow.experimentKind"])

    with open_tracker(identity("embed")):
        assert kind() == "custom_model_development"
    experiment = client.get_experiment_by_name("s2igan").experiment_id
    client.set_experiment_tag(experiment, "mlflow.experimentKind", "finetuning")
    with open_tracker(identity("embed")):
        assert kind() == "finetuning"


def test_a_watched_run_carries_the_load_of_the_machine(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    with open_tracker(identity("train_sen"), watched=True) as tracker:
        deadline = time.monotonic() + 60
        while not run_of(client, tracker).data.metrics and time.monotonic() < deadline:
            time.sleep(0.05)
    run = run_of(client, tracker)
    assert run.info.status == "FINISHED"
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0
    with open_tracker(identity("evaluate")) as tracker:
        pass
    assert run_of(client, tracker).data.metrics == {}


def test_stages_of_one_variant_share_a_parent(client: Any) -> None:
    runs = {}
    for variant, stage in [("a", "train_rdg"), ("a", "evaluate"), ("b", "evaluate")]:
        with open_tracker(identity(stage, variant)) as tracker:
            runs[variant, stage] = run_of(client, tracker)
    parents = {key: run.data.tags["mlflow.parentRunId"] for key, run in runs.items()}
    assert parents["a", "train_rdg"] == parents["a", "evaluate"] != parents["b", "evaluate"]
    tags = runs["a", "evaluate"].data.tags
    assert tags["run.train_rdg"] == runs["a", "train_rdg"].info.run_id
    assert client.get_run(parents["a", "evaluate"]).info.run_name == "a"


def test_a_run_names_its_machine_and_the_parent_none(client: Any) -> None:
    told = {"machine": "AMD EPYC, 2 cores", "device": "NVIDIA H200", "precision": "bfloat16"}
    found = identify("train_rdg", "key", **told)
    with open_tracker(found) as tracker:
        tags = run_of(client, tracker).data.tags
    assert {name: tags[f"s2igan.{name}"] for name in told} == told
    parent = client.get_run(tags["mlflow.parentRunId"]).data.tags
    assert not [tag for tag in parent if tag.startswith("s2igan.")]
    assert "s2igan.machine" not in identify("register", "").tags


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (SystemExit, "KILLED"), (OSError, "FAILED")]
)
def test_a_run_ends_as_its_block_ends(client: Any, error: type[BaseException], status: str) -> None:
    trackers: list[Tracker] = []

    def fail() -> None:
        with open_tracker(identity("tts")) as tracker:
            trackers.append(tracker)
            raise error

    with pytest.raises(error):
        fail()
    assert run_of(client, trackers[0]).info.status == status


def test_a_run_that_a_kill_left_ends_as_its_stage_begins_again(client: Any) -> None:
    with open_tracker(identity("train_rdg", "killed")) as killed:
        pass
    client.update_run(run_of(client, killed).info.run_id, "RUNNING")
    with open_tracker(identity("sample", "killed")):
        assert run_of(client, killed).info.status == "RUNNING"
    with open_tracker(identity("train_rdg", "killed")) as tracker:
        assert run_of(client, killed).info.status == "KILLED"
    assert run_of(client, tracker).info.status == "FINISHED"


def test_run_ids_are_kept_outside_of_outputs(client: Any, root: Path) -> None:
    with open_tracker(identity("sample", "odd/name")) as tracker:
        pass
    ids = json.loads((root / ".s2igan" / "runs" / "odd_name.json").read_text())
    assert ids["sample"] == run_of(client, tracker).info.run_id


@pytest.mark.parametrize("torn", ['{"pipeline": "0123', ""])
def test_run_ids_that_are_torn_are_begun_anew(client: Any, root: Path, torn: str) -> None:
    path = root / ".s2igan" / "runs" / "torn.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(torn)
    with open_tracker(identity("sample", "torn")) as tracker:
        pass
    assert json.loads(path.read_text())["sample"] == run_of(client, tracker).info.run_id


def test_a_parent_that_somebody_deleted_is_begun_anew(client: Any) -> None:
    parents = []
    for stage in ("tts", "features"):
        with open_tracker(identity(stage, "deleted")) as tracker:
            parents.append(run_of(client, tracker).data.tags["mlflow.parentRunId"])
        client.delete_run(parents[-1])
    assert parents[0] != parents[1]


class Broken:
    """A client of a server that is away until it is told to answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = False
        self.batches: list[list[tuple[str, float, int]]] = []

    def log_batch(self, _run: str, metrics: list[Any]) -> None:
        self.asked.append("log")
        if not self.answers:
            raise ConnectionError("server\ngone")
        self.batches.append([(metric.key, metric.value, metric.step) for metric in metrics])

    def set_terminated(self, run: str, _status: str) -> None:
        self.asked.append(run)


@pytest.mark.usefixtures("client")
def test_a_tracker_that_fails_warns_and_pauses_after_three(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Broken()
    tracker = tracking.MlflowTracker(server, "run", "parent")
    for step in range(5):
        tracker.log(step, {"loss": 1.0})
    pause = "tracking: server gone; tracking pauses for 5 minutes"
    assert server.asked == ["log"] * 3
    assert capsys.readouterr().err.splitlines() == ["tracking: server gone"] * 2 + [pause]
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for step in range(5):
        tracker.log(step, {"loss": 1.0})
    assert server.asked == ["log"] * 4
    assert capsys.readouterr().err.splitlines() == [pause]
    tracker.finish("FINISHED")
    assert server.asked[4:] == ["run", "parent", "log"]


@pytest.mark.usefixtures("client")
def test_values_that_a_server_missed_follow_once_it_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Broken()
    tracker = tracking.MlflowTracker(server, "run", "parent")
    for step in (1, 2):
        tracker.log(step, {"loss": step / 2})
    server.answers = True
    tracker.log(3, {"loss": 1.5})
    tracker.log(4, {"loss": 2.0})
    missed = [("loss", 0.5, 1), ("loss", 1.0, 2), ("loss", 1.5, 3)]
    assert server.batches == [missed, [("loss", 2.0, 4)]]
    tracker.finish("FINISHED")
    assert server.asked == ["log"] * 4 + ["run", "parent"]
    assert capsys.readouterr().err.splitlines() == ["tracking: server gone"] * 2


@pytest.mark.usefixtures("client")
def test_values_that_wait_while_tracking_pauses_arrive_as_the_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "_MOST_AT_ONCE", 4)
    server = Broken()
    tracker = tracking.MlflowTracker(server, "run", "parent")
    for step in range(9):
        tracker.log(step, {"loss": 1.0})
    server.answers = True
    tracker.finish("KILLED")
    assert [[step for _, _, step in batch] for batch in server.batches] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8],
    ]
    assert server.asked == ["log"] * 3 + ["run", "parent"] + ["log"] * 3


@pytest.mark.usefixtures("client")
def test_a_slow_server_is_told_and_left_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        clock = 0.0

        def log_batch(self, *_: object, **__: object) -> None:
            self.clock += 16.0

    server = Slow()
    monkeypatch.setattr(time, "monotonic", lambda: server.clock)
    tracker = tracking.MlflowTracker(server, "run", "parent")
    for step in range(5):
        tracker.log(step, {"loss": 1.0})
    assert server.clock == 3 * 16.0
    assert capsys.readouterr().err.splitlines()[1:] == [
        "tracking: an answer took 16 s",
        "tracking: an answer took 16 s; tracking pauses for 5 minutes",
    ]


def test_a_long_warning_keeps_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    tracking.warn(f"API request {'x' * 400}: Connection refused")
    said = capsys.readouterr().err
    assert said.startswith("tracking: API request x")
    assert said.endswith("x: Connection refused\n")


def test_a_database_that_cannot_be_reached_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    with open_tracker(identity("tts")) as tracker:
        tracker.log(1, {"loss": 1.0})
    assert type(tracker) is Tracker
    assert capsys.readouterr().err.startswith("tracking: not tracked")


@pytest.mark.usefixtures("client")
def test_a_database_that_cannot_be_opened_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}")
    with open_tracker(identity("tts")) as tracker:
        assert type(tracker) is Tracker
    told = f"tracking: not tracked: unable to open database file: {tmp_path}\n"
    assert capsys.readouterr().err == told


def test_what_fails_in_a_database_is_told_in_lines_of_tracking(
    client: Any, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    told = ""
    with open_tracker(identity("train_sen"), watched=True) as tracker:
        rename_table(root / "mlflow.db", "runs", "away")
        tracker.log(1, {"loss": 1.0})
        deadline = time.monotonic() + 60
        while "Failed to get mlflow run" not in told and time.monotonic() < deadline:
            time.sleep(0.05)
            told += capsys.readouterr().err
        rename_table(root / "mlflow.db", "away", "runs")
    assert [line[:10] for line in told.splitlines()] == ["tracking: "] * 2
    assert told.count("no such table: runs") == 2
    assert run_of(client, tracker).data.metrics["loss"] == 1.0


def rename_table(path: Path, name: str, other: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA legacy_alter_table = ON")  # what refers to it stays as it is
        database.execute(f"ALTER TABLE {name} RENAME TO {other}")


def test_without_mlflow_the_run_goes_on(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['mlflow'] = None\n"
        "from s2igan.engine.tracking import identify, open_tracker\n"
        "with open_tracker(identify('tts', 'key')) as tracker: tracker.log(1, {'loss': 1.0})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DVC_ROOT": str(tmp_path)},
    )
    assert done.stderr == "tracking: not tracked, mlflow is not installed\n"


def test_tracking_can_be_left_out(root: Path) -> None:
    with open_tracker(identity("tts"), enabled=False) as tracker:
        assert type(tracker) is Tracker
    assert root.exists()


def test_an_experiment_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "no-rs")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abc")
    found = identify("train_rdg", "key")
    assert found.variant == "no-rs"
    assert found.tags["dvc.baseline_rev"] == "abc"
    assert found.tags["s2igan.inputs"] == "key"
    monkeypatch.delenv("DVC_EXP_NAME")
    assert identify("train_rdg", "key").variant.startswith("workspace@")


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no name"), ImportError])
def test_a_user_without_a_name_has_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception | type[Exception]
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", fail)
    assert "mlflow.user" not in identify("train_rdg", "key").tags


def test_names_keep_to_the_characters_that_are_allowed() -> None:
    assert metric_name("retrieval/R@1 (all)") == "retrieval/R_at_1 _all_"


def test_the_last_run_shows_the_whole_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Recorder(Tracker):
        def __init__(self) -> None:
            self.files: list[str] = []
            self.values: dict[str, float] = {}

        def file(self, path: Path, folder: str = "") -> None:
            self.files.append(f"{folder}/{path.name}")

        def summary(self, values: Any) -> None:
            self.values |= values

    (tmp_path / "metrics").mkdir()
    (tmp_path / "plots").mkdir()
    figures = {"speech_to_image": {"mAP": {"value": 0.5, "protocol": ["all"]}}}
    (tmp_path / "metrics" / "retrieval.json").write_text(json.dumps(figures))
    (tmp_path / "metrics" / "generation.json").write_text('{"FID": {"value": 9}}')
    for name, stray in (("list", "[1]"), ("torn", '{"FID"'), ("none", "null")):
        (tmp_path / "metrics" / f"{name}.json").write_text(stray)
    for name in ("grid.png", "curves.tsv", "notes.txt"):
        (tmp_path / "plots" / name).touch()
    recorder = Recorder()
    show_all(recorder, tmp_path / "metrics" / "generation.json", tmp_path / "plots")
    assert recorder.values == {"retrieval/speech_to_image/mAP": 0.5}
    assert recorder.files == ["plots/curves.tsv", "plots/grid.png"]
    told = capsys.readouterr().err.splitlines()
    assert [name in line for name, line in zip(("list", "none", "torn"), told, strict=True)]
