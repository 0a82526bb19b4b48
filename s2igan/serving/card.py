"""The card of a model: what it was trained on and how well it does, as one JSON object.

Keys, all of them optional: ``name``; ``corpus``, ``tts``, ``sen``, ``rdg``, the sections of the
parameters that it was trained with; ``figures``, the content of ``metrics/retrieval.json`` and
``metrics/generation.json`` under ``retrieval`` and ``generation``; ``licence``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2igan.errors import UserError
from s2igan.speech.config import RecordingsConfig

CARD = "card.json"


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a model folder; a folder without one has an empty card.

    Raises:
        UserError: if it is broken.
    """
    path = folder / CARD
    if not path.exists():
        return {}
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"card {str(path)!r}", got=str(error), expected="JSON") from error
    return card


def recordings_config(card: Mapping[str, Any]) -> RecordingsConfig | None:
    """Return how the training recordings were trimmed and levelled; None where they were not."""
    tts = card.get("tts", {})
    if tts.get("engine") != "recorded":
        return None
    return RecordingsConfig.model_validate(tts["recordings"])
