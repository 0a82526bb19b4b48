"""A sentence in pieces, for an engine that does not come to its end in one."""

import re
from typing import Final

LONGEST: Final = 100
"""Most characters of a piece: about what the reader of LJSpeech says in one breath."""

_BEHIND_A_MARK: Final = re.compile(r"(?<=[,.;:!?)]) ")
_BETWEEN_WORDS: Final = re.compile(" ")
_MARKS: Final = ("!", ".", ":", ";", "?", ",")


def pieces_of(text: str) -> list[str]:
    """Cut a normalised sentence in two, and on until no piece is longer than :data:`LONGEST`.

    A cut lies near the middle, behind a mark if there is one in the middle half, else between two
    words. A piece that ends without a mark gets a comma.

    Returns:
        At least two pieces, or the text alone if it is a single word.
    """
    cut = _cut(text)
    if cut is None:
        return [text]
    pieces: list[str] = []
    for part in (text[:cut], text[cut + 1 :]):
        closed = part if part.endswith(_MARKS) else f"{part},"
        pieces += pieces_of(closed) if len(closed) > LONGEST else [closed]
    return pieces


def _cut(text: str) -> int | None:
    middle = len(text) / 2
    for pattern, reach in ((_BEHIND_A_MARK, middle / 2), (_BETWEEN_WORDS, middle)):
        places = [found.start() for found in pattern.finditer(text)]
        place = min(places, key=lambda at: abs(at - middle), default=None)
        if place is not None and abs(place - middle) <= reach:
            return place
    return None
