"""Sentences about a drawing: some of its attributes, in varied words and order.

A sentence is first built with fields, such as ``a {crown} crown and {wing+tail} wings and tail``,
which are then filled in; so it is known which word speaks of which attribute.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS
from s2igan.corpora.minibirds.grammar import Grammar

_FIELD = re.compile(r"\{([a-z_+]+)\}")
# How many colours and other attributes a caption speaks of, each pair equally often: four to six
# in all, and each part of the bird in about 65 % of the captions.
_COUNTS = ((2, 2), (2, 3), (3, 1), (3, 1), (3, 1), (3, 2), (3, 2), (4, 0), (4, 1), (4, 1), (4, 2))
_CAPTIONS, _ATTEMPTS = 10, 60


@dataclass(frozen=True)
class Caption:
    """One sentence and what it says.

    Attributes:
        text: the sentence.
        mentions: attributes that it speaks of, in the order of ``ATTRIBUTES``.
        swappable: where the colour word of a part stands, as (start, end) in ``text``; only of
            parts whose colour word stands alone and speaks of no other part.
    """

    text: str
    mentions: tuple[str, ...]
    swappable: Mapping[str, tuple[int, int]]

    def swapped(self, part: str, colour: str) -> str:
        """Return the sentence with another colour word for ``part``, otherwise identical."""
        start, end = self.swappable[part]
        return self.text[:start] + colour + self.text[end:]


def describe(
    attributes: Mapping[str, str], rng: np.random.Generator, grammar: Grammar
) -> list[Caption]:
    """Write ten different captions of one bird.

    Args:
        attributes: a value for each of :data:`s2igan.corpora.attributes.ATTRIBUTES`.
        rng: chooses what is said and how.
        grammar: of the language.
    """
    captions: list[Caption] = []
    while len(captions) < _CAPTIONS:
        caption = _caption(attributes, choose_mentions(rng), rng, grammar)
        if caption is not None and all(caption.text != other.text for other in captions):
            captions.append(caption)
    return captions


def choose_mentions(rng: np.random.Generator) -> tuple[str, ...]:
    """Choose the four to six attributes that a caption speaks of."""
    colours, others = _COUNTS[int(rng.random() * len(_COUNTS))]
    chosen = {
        *_sample(COLOUR_PARTS, colours, rng),
        *_sample(ATTRIBUTES[len(COLOUR_PARTS) :], others, rng),
    }
    return tuple(name for name in ATTRIBUTES if name in chosen)


def _sample(names: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return sorted(names, key=lambda _: rng.random())[:count]


def _caption(
    attributes: Mapping[str, str],
    mentions: tuple[str, ...],
    rng: np.random.Generator,
    grammar: Grammar,
) -> Caption | None:
    # The same attributes are worded anew until the sentence has a fitting length.
    for _ in range(_ATTEMPTS):
        sentence, unaltered = grammar.write(attributes, mentions, rng)
        if grammar.fewest_words <= len(sentence.split()) <= grammar.most_words:
            words = {part: grammar.colours[attributes[part]] for part in COLOUR_PARTS}
            return _fill(sentence + ".", words, unaltered, mentions)
    return None


def _fill(
    sentence: str, words: Mapping[str, str], unaltered: Set[str], mentions: tuple[str, ...]
) -> Caption:
    text, end = "", 0
    swappable: dict[str, tuple[int, int]] = {}
    for field in _FIELD.finditer(sentence):
        text += sentence[end : field.start()]
        parts = field[1].split("+")
        value = words[parts[0]]
        # The first word takes a capital, which another colour would lose.
        if text and parts[0] in unaltered and len(parts) == 1:
            swappable[parts[0]] = (len(text), len(text) + len(value))
        text, end = text + value, field.end()
    text += sentence[end:]
    return Caption(text[0].upper() + text[1:], mentions, swappable)
