"""The colour words of a sentence, and the same sentence with another one (paper Fig. 3)."""

import re
from typing import NamedTuple

from s2igan.serving.language import Language

_FOLLOWING = re.compile(r"[\s-]+(\w+)")
_PRECEDING = re.compile(r"(\w+)\s+$")


class ColourWord(NamedTuple):
    """Where a colour word stands in a sentence, as ``[start, end)``, and how to point at it."""

    start: int
    end: int
    label: str


def colour_words(sentence: str, language: Language) -> list[ColourWord]:
    """Find the colour words of a sentence, in order.

    Args:
        sentence: any text; words are found whole, in either case, also before a hyphen.
        language: that it is in.

    Returns:
        Each with a label of its own: the word and what it is said of, such as ``red crown``.
    """
    found: list[ColourWord] = []
    said: list[str] = []
    words = "|".join((*language.colours, *language.more_colours))
    for match in re.finditer(rf"\b({words})\b", sentence, re.IGNORECASE):
        start, end = match.span()
        if language.colour_last:
            noun = _PRECEDING.search(sentence, 0, start)
            said.append(sentence[noun.start() if noun else start : end].lower())
        else:
            noun = _FOLLOWING.match(sentence, end)
            said.append(sentence[start : noun.end() if noun else end].lower())
        again = said.count(said[-1])
        label = said[-1] if again == 1 else f"{said[-1]} ({again})"
        found.append(ColourWord(start, end, label))
    return found


def with_colour(sentence: str, word: ColourWord, colour: str) -> str:
    """Put ``colour`` where ``word`` stands, with a capital where the word has one."""
    colour = colour.capitalize() if sentence[word.start].isupper() else colour
    return sentence[: word.start] + colour + sentence[word.end :]
