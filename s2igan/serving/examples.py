"""Utterances that a visitor of the page can try without saying anything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from s2igan.engine.sound import sound_problem
from s2igan.errors import UserError
from s2igan.serving.card import is_minibirds
from s2igan.serving.language import language_of
from s2igan.serving.origin import read_object
from s2igan.serving.voices import speak_text
from s2igan.speech.audio import encode_flac, to_pcm

FILE = "examples.json"
"""Beside a model: maps the names of clips, which lie there too, to what is said in them."""

_KINDS = (".flac", ".wav", ".ogg", ".mp3")


class Example(NamedTuple):
    """One thing to try: what is said, and its clip; without one the sentence is spoken."""

    text: str
    clip: Path | None


def find_examples(model: Path, card: Mapping[str, Any], *, can_speak: bool) -> list[Example]:
    """Find the examples of a model; ``can_speak`` is whether sentences can be spoken here.

    Returns:
        Clips that came with the model, else sentences that can be spoken, else nothing.

    Raises:
        UserError: as :func:`listed_clips`, or if a clip is missing.
    """
    if (model / FILE).is_file():
        return _clips(model)
    told = can_speak and is_minibirds(card)
    return [Example(text, None) for text in language_of(card).examples] if told else []


def write_examples(folder: Path, model: Path, card: Mapping[str, Any], *, can_speak: bool) -> None:
    """Write the examples of a model beside its export, as clips of some 100 kB each.

    Clips of the ``model`` itself are copied; others are spoken by its voice, which gives the same
    bytes for the same words.

    Raises:
        UserError: as :func:`find_examples`, or if nothing is to be heard of a clip.
    """
    said: dict[str, str] = {}
    for number, (text, clip) in enumerate(find_examples(model, card, can_speak=can_speak), 1):
        name = clip.name if clip else f"example-{number}.flac"
        (folder / name).write_bytes(_sound(clip) if clip else _spoken(text, card))
        said[name] = text
    if said:
        listed = json.dumps(said, indent=2, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(listed, encoding="utf-8")


def _sound(clip: Path) -> bytes:
    data = clip.read_bytes()
    if problem := sound_problem(data):
        raise UserError(
            f"example {str(clip)!r}",
            got=problem,
            expected="a clip with speech in it",
            fix=f"replace it, or take it out of {FILE}",
        )
    return data


def _spoken(text: str, card: Mapping[str, Any]) -> bytes:
    recording = speak_text(text, card)
    return encode_flac(to_pcm(recording.samples), recording.rate_hz)


def _clips(model: Path) -> list[Example]:
    said = listed_clips(model)
    for name in said:
        if not (model / name).is_file():
            raise UserError(f"example {str(model / name)!r}", got="no such file", expected="a clip")
    return [Example(text, model / name) for name, text in said.items()]


def listed_clips(model: Path) -> dict[str, str]:
    """Return the names of the clips in a model's list, and what is said in them.

    Raises:
        UserError: if the list is broken, or a name leads out of the folder or to no clip.
    """
    path = model / FILE
    if not path.is_file():
        return {}
    texts = read_object(path, "examples", "write names of clips and what is said in them there")
    said = {name: str(text) for name, text in texts.items()}
    for name in said:
        if Path(name).name != name or Path(name).suffix.lower() not in _KINDS:
            raise UserError(
                f"examples {str(path)!r}",
                got=f"the clip {name!r}",
                expected=f"the name of a file beside it that ends in one of {', '.join(_KINDS)}",
            )
    return said
