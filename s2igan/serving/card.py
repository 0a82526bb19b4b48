"""The card of a model: what it was trained on and how well it does, as one JSON object.

An exported model carries it as ``card.json``; that of a pipeline's ``artifacts/rdg`` is told by the
pipeline around it. Keys, all of them optional: ``name``; ``corpus``, ``tts``, ``features``, ``sen``
and ``rdg``, the sections of the parameters that it was trained with; ``counts``, classes, pictures
and utterances of the corpus; ``figures``, the content of ``metrics/retrieval.json`` and
``metrics/generation.json`` under ``retrieval`` and ``generation``; ``licence`` of the weights;
``sources``, citation and licence of what the corpus holds.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2igan.errors import UserError
from s2igan.serving.origin import pipeline_card, pipeline_root
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.espeak import Line

CARD = "card.json"
_USUAL = {"rate_wpm": {"low": 170, "high": 170}, "pitch": {"low": 50, "high": 50}}


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a model folder; a lone one without a card has an empty one.

    Raises:
        UserError: if a file is broken.
    """
    path = folder / CARD
    if not path.is_file():
        root = pipeline_root(folder)
        return pipeline_card(root) if root else {}
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"card {str(path)!r}", got=str(error), expected="JSON", fix="export the model again"
        ) from error
    return card


def own_voice(card: Mapping[str, Any], text: str) -> Line:
    """Return ``text`` as the voice of the corpus would say it: its first, at mid rate and pitch."""
    tts = card.get("tts", {})
    rate, pitch = (tts.get(key, _USUAL[key]) for key in ("rate_wpm", "pitch"))
    return Line(
        voice=tts.get("voices", ["en-us"])[0],
        rate_wpm=(rate["low"] + rate["high"]) // 2,
        pitch=(pitch["low"] + pitch["high"]) // 2,
        text=text,
    )


def own_recordings(card: Mapping[str, Any]) -> RecordingsConfig | None:
    """Return how the recordings of the corpus were trimmed and levelled; None if it has none."""
    tts = card.get("tts", {})
    if tts.get("engine") != "recorded":
        return None
    return RecordingsConfig.model_validate(tts["recordings"])
