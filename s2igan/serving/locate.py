"""Which folder a model lies in: a path, a DVC revision, an MLflow address, or the nearest one."""

from pathlib import Path

from s2igan.engine.runtime import repository_root
from s2igan.errors import UserError

DEFAULT = Path(__file__).parent / "default"
"""The model that ships with the package."""

_MARK = "generator.safetensors"


def find_model(spec: str | None) -> Path:
    """Return the folder of a model, fetched into a cache if it lies elsewhere.

    Args:
        spec: an exported folder, the ``artifacts`` folder of a pipeline or its ``rdg``; a DVC
            revision, ``dvc:REV`` or plain; an MLflow address such as ``models:/s2igan@champion``;
            None takes ``artifacts/rdg`` of the repository that one stands in, else the model that
            ships with the package.

    Raises:
        UserError: if there is no such model, or what fetches it is not installed.
    """
    if spec is None:
        return _nearest()
    if found := _in_folder(Path(spec)):
        return found
    raise UserError(
        f"model {spec!r}",
        got="no model there",
        expected="an exported folder, a DVC revision or an MLflow address",
    )


def _nearest() -> Path:
    if found := _in_folder(repository_root()) or _in_folder(DEFAULT):
        return found
    raise UserError(
        "model",
        got="none in this repository, and none in the package",
        expected="artifacts/rdg",
        fix="run `dvc repro train_rdg`, or name a model with --model",
    )


def _in_folder(folder: Path) -> Path | None:
    candidates = (folder, folder / "rdg", folder / "artifacts" / "rdg")
    return next((path for path in candidates if (path / _MARK).is_file()), None)
