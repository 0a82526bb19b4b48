"""Where losses, pictures and figures are shown: MLflow where it is installed, nothing elsewhere.

Files are the record of a result and MLflow is the record of its execution: whatever fails here
warns and lets the run go on. This is the only module outside ``serving`` that imports MLflow.
"""

import getpass
import json
import logging
import os
import re
import subprocess
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2igan.engine.folders import write_whole
from s2igan.engine.runtime import repository_root, state_folder

if TYPE_CHECKING:
    from s2igan.engine.pictures import Picture

EXPERIMENT = "s2igan"
_SQLITE = "sqlite:///"
_MAX_FAILURES = 3
_PAUSE_SECONDS = 300
_SLOW_SECONDS = 10
_MOST_AT_ONCE = 1000  # values in one request, by MLflow's own rule
_MOST_WAITING = 200_000  # values that a server missed and that are kept for it
# Without it, the pages take the experiment for one about language models and hide its runs.
_KIND, _TRAINING = "mlflow.experimentKind", "custom_model_development"


class Tracker:
    """Takes everything and keeps nothing; the base of every tracker."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log several values, losses say, at one step."""

    def picture(self, key: str, picture: "Picture", step: int | None = None) -> None:
        """Log one HWC uint8 picture, with a step where it belongs to a course over time."""

    def file(self, path: Path, folder: str = "") -> None:
        """Log a copy of one file, a model say, into ``folder`` of the run."""

    def summary(self, values: Mapping[str, float]) -> None:
        """Log figures that stand for the whole run."""

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters by their dotted keys."""


class MlflowTracker(Tracker):
    """Logs into the run of one stage; pauses after a few failures or slow answers in a row.

    Values that the server missed follow once it answers again, or as the run ends.

    Args:
        client: an ``MlflowClient``.
        run_id: the run to log into.
        parent_id: the run of the whole execution.
    """

    def __init__(self, client: Any, run_id: str, parent_id: str) -> None:
        self.run_id = run_id
        self._parent_id = parent_id
        self._client = client
        self._failures = 0
        self._paused_until = 0.0
        self._monitor: Any = None
        self._waiting: deque[Any] = deque(maxlen=_MOST_WAITING)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log several values at one step, and what waits of earlier ones."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        self._waiting.extend(
            Metric(metric_name(key), float(value), now, step) for key, value in values.items()
        )
        self._try(self._send)

    def _send(self) -> None:
        while self._waiting:
            metrics = list(islice(self._waiting, _MOST_AT_ONCE))
            self._client.log_batch(self.run_id, metrics=metrics)
            for _ in metrics:
                self._waiting.popleft()

    def picture(self, key: str, picture: "Picture", step: int | None = None) -> None:
        """Log one HWC uint8 picture; those with a step get the step slider."""
        name = metric_name(key)
        where = {"artifact_file": f"{name}.png"} if step is None else {"key": name, "step": step}
        self._try(lambda: self._client.log_image(self.run_id, picture, **where))

    def file(self, path: Path, folder: str = "") -> None:
        """Log a copy of one file."""
        self._try(lambda: self._client.log_artifact(self.run_id, str(path), folder or None))

    def summary(self, values: Mapping[str, float]) -> None:
        """Log figures without a course over time."""
        self.log(0, values)

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters by their dotted keys."""
        from mlflow.entities import Param

        params = [Param(key, _text(value)) for key, value in values.items()]
        self._try(lambda: self._client.log_batch(self.run_id, params=params))

    def watch_machine(self) -> None:
        """Log load and memory of the machine from now on."""
        self._try(self._start_monitor)

    def _start_monitor(self) -> None:
        from mlflow.system_metrics import system_metrics_monitor

        untyped: Any = system_metrics_monitor
        self._monitor = untyped.SystemMetricsMonitor(self.run_id, tracking_uri=tracking_uri())
        self._monitor.start()

    def finish(self, status: str) -> None:
        """End this run and, until another stage begins, that of the whole execution."""
        self._paused_until = 0.0  # or the run would be shown as running for good
        if self._monitor is not None:
            self._try(self._monitor.finish)
        for run_id in (self.run_id, self._parent_id):
            self._try(partial(self._client.set_terminated, run_id, status))
        if self._waiting and not self._failures:  # a server that is away was asked often enough
            self._try(self._send)

    def _try(self, action: Callable[[], object]) -> None:
        began = time.monotonic()
        if began < self._paused_until:
            return
        try:
            with warnings.catch_warnings(action="ignore"):
                action()
            took = time.monotonic() - began
            trouble = f"an answer took {took:.0f} s" if took > _SLOW_SECONDS else ""
        except Exception as error:
            trouble = str(error) or type(error).__name__
        self._failures = self._failures + 1 if trouble else 0
        if self._failures >= _MAX_FAILURES:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            trouble += f"; tracking pauses for {_PAUSE_SECONDS // 60} minutes"
        if trouble:
            warn(trouble)


@dataclass(frozen=True)
class RunIdentity:
    """Which run this is.

    Attributes:
        stage: name of the stage.
        variant: the experiment's name, or ``workspace@<commit>`` outside experiments.
        tags: where it comes from: DVC's names, the Git commit, the key of its inputs, the machine.
    """

    stage: str
    variant: str
    tags: Mapping[str, str]


def identify(
    stage: str, key: str, *, machine: str = "", device: str = "", precision: str = ""
) -> RunIdentity:
    """Return the identity of this process's run.

    Args:
        stage: name of the stage.
        key: hash of its inputs.
        machine: processor and cores; empty where the work was not done here.
        device: name of the GPU, or ``cpu``; likewise.
        precision: of products and convolutions, which may be another one than the parameters ask
            for; empty where a stage has none.
    """
    commit = _git("rev-parse", "HEAD")
    name = os.environ.get("DVC_EXP_NAME", "")
    tags = {
        "dvc.stage": os.environ.get("DVC_STAGE", stage),
        "dvc.exp_name": name,
        "dvc.baseline_rev": os.environ.get("DVC_EXP_BASELINE_REV", ""),
        "git.dirty": "true" if _git("status", "--porcelain", "--untracked-files=no") else "false",
        "s2igan.inputs": key,
        "s2igan.machine": machine,
        "s2igan.device": device,
        "s2igan.precision": precision,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": f"stages.{stage}",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    variant = name or f"workspace@{commit[:7] or 'unversioned'}"
    return RunIdentity(stage, variant, {tag: value for tag, value in tags.items() if value})


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have a number alone
        return ""


@contextmanager
def open_tracker(
    identity: RunIdentity, *, enabled: bool = True, watched: bool = False
) -> Iterator[Tracker]:
    """Yield a tracker whose run ends as the block ends: FINISHED, FAILED or KILLED.

    Args:
        identity: which run it is.
        enabled: without it, a tracker that keeps nothing is yielded.
        watched: whether load and memory of the machine are logged meanwhile.
    """
    tracker = _start(identity) if enabled else None
    if tracker is None:
        yield Tracker()
        return
    if watched:
        tracker.watch_machine()
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        tracker.finish(status)


def _start(identity: RunIdentity) -> MlflowTracker | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return _connect(identity)
    except ModuleNotFoundError as error:
        warn(f"not tracked, {error.name} is not installed")
    except Exception as error:
        warn(f"not tracked: {error}")
    return None


def _connect(identity: RunIdentity) -> MlflowTracker:
    path = state_folder() / "runs" / f"{_slug(identity.variant)}.json"
    with _locked():
        client, experiment = _client_and_experiment()
        ids = _read_ids(path, client)
        if "pipeline" not in ids:
            ids["pipeline"] = client.create_run(
                experiment, run_name=identity.variant, tags=_parent_tags(identity)
            ).info.run_id
        _end_killed(ids.get(identity.stage), client)
        links = {f"run.{stage}": run_id for stage, run_id in ids.items() if stage != "pipeline"}
        run = client.create_run(
            experiment,
            run_name=f"{identity.stage} · {identity.variant}",
            tags={**identity.tags, **links, "mlflow.parentRunId": ids["pipeline"]},
        )
        ids[identity.stage] = run.info.run_id
        write_whole(path, (json.dumps(ids, indent=2) + "\n").encode())
    return MlflowTracker(client, run.info.run_id, ids["pipeline"])


def open_experiment() -> tuple[Any, str]:
    """Return an ``MlflowClient`` and the id of this project's experiment, made where it is missing.

    Raises:
        ModuleNotFoundError: if MLflow is not installed.
        OSError: if a local database cannot be opened.
    """
    with _locked():
        return _client_and_experiment()


@contextmanager
def _locked() -> Iterator[None]:
    from filelock import FileLock

    runs = state_folder() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    # Two processes that create the database, the experiment or the parent at once would crash.
    with FileLock(runs / "lock", timeout=120):
        yield


def _client_and_experiment() -> tuple[Any, str]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow import MlflowClient

    _quieten()
    uri = tracking_uri()
    _check_database(uri)
    client = MlflowClient(uri)
    return client, _experiment(client)


def _quieten() -> None:
    # The first use of a new database tells every migration.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What fails there is raised as well, and told in one line instead of a traceback.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # The monitor tells its start and end, and raises nothing, since it runs in a thread of its own.
    monitor = logging.getLogger("mlflow.system_metrics")
    monitor.setLevel(logging.WARNING)
    monitor.handlers, monitor.propagate = [_Warner()], False


class _Warner(logging.Handler):
    """Says with :func:`warn` what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


def _check_database(uri: str) -> None:
    """Raise at once what MLflow would try again for two minutes."""
    if not uri.startswith(_SQLITE):
        return
    import sqlite3  # which a Python may have been built without

    from sqlalchemy.engine import make_url  # by which MLflow reads it

    path, named = Path(make_url(uri).database or ""), uri.removeprefix(_SQLITE)
    root = repository_root()
    if named.startswith(f"{root}/") and root not in path.parents:
        raise OSError(f"% or ? in {str(root)!r}; name a database elsewhere as MLFLOW_TRACKING_URI")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        sqlite3.connect(path).close()
    except sqlite3.Error as error:
        raise OSError(f"{error}: {path}") from error


def tracking_uri() -> str:
    """Return ``$MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``, from the repository's root."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlflow.db"
    if not uri.startswith(_SQLITE):
        return uri
    # A relative path would lead into the copy that DVC runs a queued experiment in.
    return f"{_SQLITE}{repository_root() / uri.removeprefix(_SQLITE)}"


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    if (found := client.get_experiment_by_name(name)) is not None:
        if _KIND not in found.tags:
            client.set_experiment_tag(found.experiment_id, _KIND, _TRAINING)
        return str(found.experiment_id)
    # MLflow would freeze the location to the folder of the first run, a temporary one perhaps.
    local = tracking_uri().startswith("sqlite:")
    location = (repository_root() / "mlruns").as_uri() if local else None
    tags = {_KIND: _TRAINING}
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _read_ids(path: Path, client: Any) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        ids: dict[str, str] = json.loads(path.read_text())
        stage = client.get_run(ids["pipeline"]).info.lifecycle_stage
    except Exception:
        return {}  # Torn, or of another database than the one these runs were written to.
    return ids if stage == "active" else {}  # somebody may have deleted it in the pages


def _end_killed(run_id: str | None, client: Any) -> None:
    """End what this stage left under ``kill -9``, or it would be shown as running for good."""
    if run_id is None:
        return
    with suppress(Exception):  # Somebody may have deleted it in the pages.
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_terminated(run_id, "KILLED")


def _parent_tags(identity: RunIdentity) -> dict[str, str]:
    own = ("dvc.stage", "mlflow.source.name")
    return {
        tag: value
        for tag, value in identity.tags.items()
        if tag not in own and not tag.startswith("s2igan.")
    }


def metric_name(key: str) -> str:
    """Return ``key`` in the characters that MLflow allows: ``R@1`` becomes ``R_at_1``."""
    return re.sub(r"[^\w/. :-]", "_", key.replace("@", "_at_"))


def warn(message: str) -> None:
    """Say on stderr, in one line, that something is not tracked."""
    said = " ".join(message.split())
    # MLflow begins with what it asked and ends with what it was told.
    said = said if len(said) <= 300 else f"{said[:100]} … {said[-200:]}"
    sys.stderr.write(f"tracking: {said}\n")


def _slug(name: str) -> str:
    return re.sub(r"[^\w@.-]", "_", name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
