"""Models of an MLflow registry or run."""

import hashlib
import logging
import os
import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from s2igan.engine.runtime import state_folder
from s2igan.engine.shortage import disk_is_full
from s2igan.engine.tracking import tracking_uri
from s2igan.errors import UserError
from s2igan.serving.fetched import fetched

_REGISTERED = re.compile(r"models:/([^/@]+)(?:@(.+)|/(\d+))")


def fetch_address(address: str) -> Path:
    """Download the files of a logged model into the state folder.

    Args:
        address: such as ``models:/s2igan@champion``; it is looked up in ``$MLFLOW_TRACKING_URI``,
            else in the repository's own database.

    Returns:
        The folder that holds them. A registered version is kept: the same one is fetched once.

    Raises:
        UserError: if MLflow is not installed, knows no such model or is not to be reached.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        from mlflow import MlflowClient
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
    try:
        _check_database(store)
        with warnings.catch_warnings(action="ignore"):
            return _fetched(address, store, MlflowClient(store, store))
    except Exception as error:  # MLflow, its databases and their drivers share no base class
        if isinstance(error, UserError) or disk_is_full(error):
            raise
        raise UserError(
            f"model {address!r}",
            got=(str(error) or type(error).__name__).splitlines()[0],
            expected=f"a model that is registered in {store}",
            fix="run `make register`, or set MLFLOW_TRACKING_URI",
        ) from error


def _fetched(address: str, store: str, client: Any) -> Path:
    models = state_folder() / "models"
    found = _REGISTERED.fullmatch(address)
    if found is None:  # what a run logged may have changed since
        return fetched(models / _slug(address), partial(_download, address, store), anew=True)
    name, alias, number = found.groups()
    version = (
        client.get_model_version_by_alias(name, alias)
        if alias
        else client.get_model_version(name, number)
    )
    # Another database has another version 1, and so has this one once it was begun anew.
    made = f"{store}\0{name}\0{version.version}\0{version.creation_timestamp}"
    digest = hashlib.sha256(made.encode()).hexdigest()
    folder = models / f"{_slug(name)}-{version.version}-{digest[:16]}"
    return fetched(folder, partial(_download, f"models:/{name}/{version.version}", store))


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


def _download(address: str, store: str, folder: Path) -> None:
    from mlflow.artifacts import download_artifacts

    download_artifacts(
        artifact_uri=address, dst_path=str(folder), tracking_uri=store, registry_uri=store
    )


def _check_database(store: str) -> None:
    # MLflow would make an empty database where there is none.
    path = store.removeprefix("sqlite:///")
    if path != store and not Path(path).is_file():
        raise FileNotFoundError("no MLflow database there")
