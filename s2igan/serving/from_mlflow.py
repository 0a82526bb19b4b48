"""Models of an MLflow registry or run."""

import logging
import os
import re
import warnings
from pathlib import Path

from s2igan.engine.folders import fresh_folder
from s2igan.engine.runtime import state_folder
from s2igan.engine.tracking import tracking_uri
from s2igan.errors import UserError


def fetch_address(address: str) -> Path:
    """Download the files of a logged model into the state folder.

    Args:
        address: such as ``models:/s2igan@champion``; it is looked up in ``$MLFLOW_TRACKING_URI``,
            else in the repository's own database.

    Returns:
        The folder that holds them.

    Raises:
        UserError: if MLflow is not installed, or knows no such model.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise UserError(
            f"model {address!r}",
            got="no package MLflow to look it up with",
            expected="the extra `pipeline`, or the folder of a model",
            fix="install `s2igan[pipeline]`",
        ) from error
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    store = tracking_uri()
    folder = state_folder() / "models" / re.sub(r"[^\w.-]+", "-", address)
    try:
        _check_database(store)
        # An alias moves, so what was fetched before is no answer.
        with fresh_folder(folder) as partial, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            download_artifacts(
                artifact_uri=address, dst_path=str(partial), tracking_uri=store, registry_uri=store
            )
    except (MlflowException, OSError) as error:
        raise UserError(
            f"model {address!r}",
            got=str(error).splitlines()[0],
            expected=f"a model that is registered in {store}",
            fix="run `make register`, or set MLFLOW_TRACKING_URI",
        ) from error
    return folder


def _check_database(store: str) -> None:
    # MLflow would make an empty database where there is none.
    path = store.removeprefix("sqlite:///")
    if path != store and not Path(path).is_file():
        raise FileNotFoundError("no MLflow database there")
