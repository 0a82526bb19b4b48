"""Registers a model with MLflow, and moves the alias of the best."""

import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch

from s2igan.engine.runtime import state_folder
from s2igan.engine.showcase import dotted, values_of
from s2igan.engine.tracking import identify, metric_name, open_experiment, tracking_uri
from s2igan.errors import UserError
from s2igan.serving.card import CARD, card_told, read_card
from s2igan.serving.champion import METRIC, Standing, place_of, standings, verdict
from s2igan.serving.export import export_model
from s2igan.serving.locate import find_model, trained_model
from s2igan.serving.logged_model import example_of, log_model, write_example
from s2igan.serving.model import SpeechToImage
from s2igan.serving.model_card import README
from s2igan.serving.origin import SECTIONS, pipeline_root

NAME = "s2igan"
ALIAS = "champion"

_PICTURES = ("samples_grid.png", "swap_grid.png", "training_grid.png")


def register(spec: str | None, *, metric: str = METRIC, anyway: bool = False) -> str:
    """Log a model as an MLflow model, register it, and make it the champion if it is better.

    Args:
        spec: see :func:`s2igan.serving.locate.find_model`; None takes ``artifacts/rdg``, never the
            model that ships, above which no first training here would become champion.
        metric: the figure that decides, by its place in the card's ``figures`` or its name in
            MLflow.
        anyway: make it the champion whatever the figures say.

    Returns:
        What was registered and whether the alias moved, a line each.

    Raises:
        UserError: if there is no such model or figure, or MLflow is not to be reached.
    """
    folder = trained_model() if spec is None else find_model(spec)
    card = read_card(folder)
    with card_told(folder):
        metric = place_of(metric, card)
        found = standings(card, metric)
    with _mlflow() as (client, experiment):
        address, run_id = _log(folder, card, experiment)
        tags = {key: value for one in found.values() for key, value in one.tags().items()}
        number = _registered(address, tags)
        told = challenge(client, found[metric], number, anyway=anyway)
    return f"models:/{NAME}/{number}: {folder} as run {run_id} in {tracking_uri()}\n{told}"


def challenge(client: Any, standing: Standing, number: str, *, anyway: bool) -> str:
    """Make version ``number`` the champion if it is better, or ``anyway``; say what was decided."""
    from filelock import FileLock

    # Of two that beat the champion at once, the worse could otherwise take its place last.
    with FileLock(state_folder() / "champion.lock", timeout=120):
        present = _champion(client)
        moves, told = verdict(
            standing,
            number,
            Standing.of_tags(present.tags, standing.metric) if present else None,
            present.version if present else None,
        )
        if anyway and not moves:
            moves, told = True, f"champion is version {number}, as you wished: otherwise {told}"
        if moves:
            client.set_registered_model_alias(NAME, ALIAS, number)
    return told


@contextmanager
def _mlflow() -> Iterator[tuple[Any, str]]:
    """Yield client and experiment; what MLflow raises is told in one line, what it says is not."""
    from mlflow.exceptions import MlflowException

    before = logging.getLogger("mlflow").level
    try:
        with warnings.catch_warnings(action="ignore"):
            yield _opened()
    except MlflowException as error:
        raise _unreached(error) from error
    finally:
        logging.getLogger("mlflow").setLevel(before)


def _opened() -> tuple[Any, str]:
    try:
        return open_experiment()
    except Exception as error:  # databases and their drivers share no base class
        raise _unreached(error) from error


def _unreached(error: Exception) -> UserError:
    said = str(error) or type(error).__name__
    return UserError(f"MLflow at {tracking_uri()}", got=said.splitlines()[0])


def _log(folder: Path, card: Mapping[str, Any], experiment: str) -> tuple[str, str]:
    """Log the exported model, its figures and pictures; return the model's address and the run."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    mlflow.set_tracking_uri(tracking_uri())
    identity = identify("register", "")
    sections = {key: card[key] for key in SECTIONS if key in card}
    with tempfile.TemporaryDirectory() as scratch:
        exported = Path(scratch) / "model"
        export_model(folder, card, exported)
        example = example_of(SpeechToImage.load(exported, torch.device("cpu")))
        with mlflow.start_run(
            experiment_id=experiment,
            run_name=f"register · {identity.variant}",
            tags=dict(identity.tags),
        ) as run:
            mlflow.log_params(dict(dotted(sections)))
            for name, figures in card.get("figures", {}).items():
                values = values_of(figures, name)
                mlflow.log_metrics({metric_name(key): value for key, value in values})
            address = log_model(exported, example, Path(scratch))
            mlflow.log_artifact(str(exported / README))
            mlflow.log_artifact(str(exported / CARD))
            for path in (*write_example(example, Path(scratch)), *_pictures(folder)):
                mlflow.log_artifact(str(path), "pictures")
    return address, run.info.run_id


def _pictures(folder: Path) -> list[Path]:
    """Return the plots that show the model in ``folder``, if a pipeline is around it."""
    root = pipeline_root(folder)
    paths = (root / "plots" / name for name in _PICTURES) if root else ()
    return [path for path in paths if path.is_file()]


def _registered(address: str, tags: Mapping[str, str]) -> str:
    """Make the logged model a version of :data:`NAME`; return its number."""
    import mlflow

    with redirect_stderr(io.StringIO()):  # MLflow says there what is said below
        made = mlflow.register_model(address, NAME, tags=dict(tags))
    return str(made.version)


def _champion(client: Any) -> Any | None:
    aliases = client.get_registered_model(NAME).aliases
    return client.get_model_version(NAME, aliases[ALIAS]) if ALIAS in aliases else None
