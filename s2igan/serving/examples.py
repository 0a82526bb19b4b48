"""Utterances that a visitor of the page can try without saying anything."""

import json
from pathlib import Path
from typing import NamedTuple

from s2igan.errors import UserError

FOLDER = "examples"
"""Beside a model: clips, and ``examples.json``, which maps their file names to what is said."""

_SENTENCES = (
    "A small bird with a red crown, a yellow belly and brown wings.",
    "This bird has a blue back, a white belly and a long bill.",
    "A large black bird with barred wings and a red tail.",
    "A medium-sized bird with a green crown and a grey tail.",
)


class Example(NamedTuple):
    """One thing to try: what is said, and its clip; without one the sentence is spoken."""

    text: str
    clip: Path | None


def find_examples(model: Path, *, birds: bool, can_speak: bool) -> list[Example]:
    """Find the examples of a model.

    Args:
        model: its folder; clips in its folder ``examples`` come first.
        birds: whether the model knows English sentences about birds.
        can_speak: whether sentences can be spoken here.

    Returns:
        Clips that came with the model, else sentences that can be spoken, else nothing.

    Raises:
        UserError: if the list of clips is broken or names one that is missing.
    """
    folder = model / FOLDER
    listed = folder / "examples.json"
    if listed.is_file():
        return _clips(folder, listed)
    return [Example(text, None) for text in _SENTENCES] if birds and can_speak else []


def _clips(folder: Path, listed: Path) -> list[Example]:
    try:
        texts = json.loads(listed.read_text(encoding="utf-8"))
        said = {folder / name: str(text) for name, text in texts.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"examples {str(listed)!r}", got=str(error), expected="file names and what is said"
        ) from error
    for clip in said:
        if not clip.is_file():
            raise UserError(f"example {str(clip)!r}", got="no such file", expected="a clip")
    return [Example(text, clip) for clip, text in said.items()]
