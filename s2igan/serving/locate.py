"""Which folder a model lies in: a path, a DVC revision, an MLflow address, or the nearest one."""

import os
from pathlib import Path

from s2igan.engine.runtime import repository_root
from s2igan.errors import UserError
from s2igan.serving.networks import GENERATOR_WEIGHTS

DEFAULT = Path(__file__).parent / "default"
"""The model that ships with the package."""

_MLFLOW = ("models:/", "runs:/", "mlflow-artifacts:/")


def find_model(spec: str | Path | None) -> Path:
    """Return the folder of a model, fetched into a cache if it lies elsewhere.

    Args:
        spec: an exported folder, a pipeline, its ``artifacts`` or ``artifacts/rdg``; a DVC
            revision, ``dvc:REV`` or plain; an MLflow address such as ``models:/s2igan@champion``;
            None takes ``artifacts/rdg`` of the repository that one stands in, else the model that
            ships with the package.

    Raises:
        UserError: if there is no such model, or what fetches it is not installed.
    """
    if spec is None:
        return _nearest()
    spec = str(spec)
    revision = spec.removeprefix("dvc:")
    if not revision:  # as of an unset variable; paths and DVC take it for what lies here
        raise _no_model(spec, "an empty name")
    if spec.startswith(_MLFLOW):
        from s2igan.serving.from_mlflow import fetch_address

        return _only_model(fetch_address(spec), spec)
    try:
        if found := _in_folder(Path(os.path.expanduser(spec))):
            return found
        is_path = Path(spec).exists()
    except OSError as error:
        raise _no_model(spec, error.strerror or str(error)) from error
    if revision == spec and (is_path or not (repository_root() / ".dvc").is_dir()):
        raise _no_model(spec)
    from s2igan.serving.from_dvc import fetch_revision

    return fetch_revision(revision, repository_root())


def trained_model() -> Path:
    """Return ``artifacts/rdg`` of the repository that one stands in.

    Raises:
        UserError: if nothing was trained there.
    """
    if found := _in_folder(repository_root()):
        return found
    raise _untrained("none in this repository")


def _nearest() -> Path:
    if found := _in_folder(repository_root()) or _in_folder(DEFAULT):
        return found
    raise _untrained("none in this repository, and none in the package")


def _untrained(got: str) -> UserError:
    return UserError(
        "model",
        got=got,
        expected="artifacts/rdg",
        fix="run `dvc repro train_rdg`, or name a model with --model",
    )


def _in_folder(folder: Path) -> Path | None:
    candidates = (folder, folder / "rdg", folder / "artifacts" / "rdg")
    return next((path for path in candidates if (path / GENERATOR_WEIGHTS).is_file()), None)


def _only_model(folder: Path, spec: str) -> Path:
    found = sorted(path.parent for path in folder.rglob(GENERATOR_WEIGHTS))
    if len(found) != 1:
        raise UserError(
            f"model {spec!r}",
            got=f"{len(found)} generators among its files",
            expected="one, as `make register` logs it",
        )
    return found[0]


def _no_model(spec: str, got: str = "no model there") -> UserError:
    return UserError(
        f"model {spec!r}",
        got=got,
        expected="an exported folder, a pipeline, a DVC revision of the repository that you stand "
        "in, or an MLflow address such as models:/s2igan@champion",
    )
