"""The card of a model: what it was trained on and how well it does, as one JSON object.

An exported model carries it as ``card.json``; that of a pipeline's ``artifacts/rdg`` is told by the
pipeline around it. Keys, all of them optional: ``name``; ``corpus``, ``tts``, ``features``, ``sen``
and ``rdg``, the sections of the parameters that it was trained with; ``counts``, classes, pictures
and utterances of the corpus; ``figures``, the content of ``metrics/retrieval.json`` and
``metrics/generation.json`` under ``retrieval`` and ``generation``, the former about models alone
that hear with SEN's encoder; ``licence`` of the weights; ``sources``, citation and licence of what
the corpus holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2igan.errors import UserError
from s2igan.serving.origin import SECTIONS, pipeline_card, pipeline_root, read_object
from s2igan.speech.config import RecordingsConfig, split_voice
from s2igan.speech.lines import Line

CARD = "card.json"
_OBJECTS = (*SECTIONS, "counts", "figures", "sources")
_FIX = "export the model again"
_SHOWN = 60
_USUAL = {"rate_wpm": {"low": 170, "high": 170}, "pitch": {"low": 50, "high": 50}}


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a model folder; a lone one without a card has an empty one.

    Raises:
        UserError: if a file is broken.
    """
    path = folder / CARD
    if not path.is_file():
        with card_told(folder):
            root = pipeline_root(folder)
            return pipeline_card(root) if root else {}
    card = read_object(path, "card", _FIX)
    present = {key: card[key] for key in _OBJECTS if key in card}
    for key, value in [*present.items(), *_items(present.get("figures"))]:
        if not isinstance(value, dict):
            got = f"{key} {value!r}"[:_SHOWN]
            raise UserError(f"card {str(path)!r}", got=got, expected="an object there", fix=_FIX)
    with card_told(folder):
        own_voice(card, "")
        own_recordings(card)
    return card


@contextmanager
def card_told(folder: Path) -> Iterator[None]:
    """Say whose card it is where the block cannot make sense of it.

    Raises:
        UserError: in place of what a missing key or another type raises.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        got = f"what cannot be told ({type(error).__name__}: {error})".partition("\n")[0]
        raise UserError(
            f"card of the model {str(folder)!r}",
            got=got,
            expected="what `s2igan export` writes, or the stages of a pipeline",
            fix="export the model again, or run `dvc repro`",
        ) from error


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def is_minibirds(card: Mapping[str, Any]) -> bool:
    """Tell whether a model draws the birds of MiniBirds."""
    return bool(card.get("corpus", {}).get("kind") == "minibirds")


def own_voice(card: Mapping[str, Any], text: str) -> Line:
    """Return ``text`` as the corpus says it: espeak-ng's first voice, at mid rate and pitch."""
    tts = card.get("tts", {})
    rate, pitch = (tts.get(key, _USUAL[key]) for key in ("rate_wpm", "pitch"))
    return Line(
        voice=(_of_espeak(tts.get("voices", [])) or ["en-us"])[0],
        rate_wpm=(rate["low"] + rate["high"]) // 2,
        pitch=(pitch["low"] + pitch["high"]) // 2,
        text=text,
    )


def heard_espeak(card: Mapping[str, Any]) -> bool:
    """Tell whether the voice that speaks here, espeak-ng, is one that the model learnt from."""
    tts = card.get("tts", {})
    own = _of_espeak(tts.get("voices", ["en-us"]))
    return tts.get("engine", "espeak") == "espeak" and bool(own)


def heard_one_synthesiser(card: Mapping[str, Any]) -> bool:
    """Tell whether a single synthesiser spoke in training, whose listeners lose other speakers."""
    tts = card.get("tts", {})
    if tts.get("engine") == "espeak":
        return len({split_voice(voice)[0] for voice in tts.get("voices", [])}) == 1
    return bool(tts.get("engine") == "tacotron2")


def _of_espeak(voices: Iterable[str]) -> list[str]:
    return [voice for voice in voices if split_voice(voice)[0] is None]


def own_recordings(card: Mapping[str, Any]) -> RecordingsConfig | None:
    """Return how the recordings of the corpus were trimmed and levelled; None if it has none."""
    tts = card.get("tts", {})
    if tts.get("engine") != "recorded":
        return None
    return RecordingsConfig.model_validate(tts["recordings"])
