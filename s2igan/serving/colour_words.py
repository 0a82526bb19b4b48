"""The colour words of a sentence, and the same sentence with another one (paper Fig. 3)."""

import re
from typing import NamedTuple

from s2igan.corpora.attributes import COLOURS

_WORD = re.compile(rf"\b({'|'.join((*COLOURS, 'gray', 'orange', 'pink', 'purple'))})\b", re.I)
_FOLLOWING = re.compile(r"[\s-]+(\w+)")


class ColourWord(NamedTuple):
    """Where a colour word stands in a sentence, as ``[start, end)``, and how to point at it."""

    start: int
    end: int
    label: str


def colour_words(sentence: str) -> list[ColourWord]:
    """Find the colour words of a sentence, in order.

    Args:
        sentence: any text; words are found whole, in either case, also before a hyphen.

    Returns:
        Each with a label of its own: the word and what follows it, such as ``red crown``.
    """
    found: list[ColourWord] = []
    said: list[str] = []
    for match in _WORD.finditer(sentence):
        following = _FOLLOWING.match(sentence, match.end())
        said.append(sentence[match.start() : following.end() if following else match.end()].lower())
        again = said.count(said[-1])
        label = said[-1] if again == 1 else f"{said[-1]} ({again})"
        found.append(ColourWord(match.start(), match.end(), label))
    return found


def with_colour(sentence: str, word: ColourWord, colour: str) -> str:
    """Put ``colour`` where ``word`` stands, with a capital where the word has one."""
    colour = colour.capitalize() if sentence[word.start].isupper() else colour
    return sentence[: word.start] + colour + sentence[word.end :]
