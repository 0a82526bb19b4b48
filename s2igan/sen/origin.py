"""Which weights of SEN made ``artifacts/embeddings``: their SHA-256 in ``embeddings.json``."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from s2igan.engine.tables import read_json, write_json
from s2igan.errors import unreadable_output
from s2igan.sen.artifact import IMAGE_WEIGHTS, SPEECH_WEIGHTS

DESCRIPTION = "embeddings.json"

_WEIGHTS = {"speech.npy": SPEECH_WEIGHTS, "image.npy": IMAGE_WEIGHTS}


def write_origin(embeddings: Path, sen: Path) -> None:
    """Write into the existing folder ``embeddings`` that ``sen`` made what lies there."""
    made_by = {name: _digest(sen / weights) for name, weights in _WEIGHTS.items()}
    write_json(embeddings / DESCRIPTION, {"made_by": made_by})


def check_origin(embeddings: Path, sen: Path, names: Iterable[str]) -> None:
    """Refuse embeddings that other weights made.

    Args:
        embeddings: ``artifacts/embeddings``; one of a version that did not tell is taken.
        sen: ``artifacts/sen``.
        names: of the arrays, ``speech.npy`` and ``image.npy``.

    Raises:
        UserError: if they did, or ``embeddings.json`` is damaged.
        OSError: if weights cannot be read.
    """
    path = embeddings / DESCRIPTION
    if not path.exists():
        return
    made_by = read_json(path, "embed", made_by=dict)["made_by"]
    for name in names:
        weights = sen / _WEIGHTS[name]
        if made_by.get(name) != _digest(weights):
            raise unreadable_output(
                f"embeddings {str(embeddings / name)!r}",
                f"some by other weights than those of {str(weights)!r}",
                "embed",
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
