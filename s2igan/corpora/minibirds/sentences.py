"""The shapes of an English sentence: where subject, colours and the rest of a bird stand in it.

A colour is left as a field, ``{crown}``, or ``{wing+tail}`` where one word speaks of two parts.
Colours begin with consonants, and so does every other word that follows an article.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from s2igan.corpora.attributes import COLOUR_PARTS
from s2igan.corpora.minibirds.vocabulary import (
    BILL_COMPOUNDS,
    BILL_NOUNS,
    BILLS,
    PARTS,
    SIZES,
    TONES,
    WING_MARKS,
    WING_PATTERNS,
)

_TONED = 0.15
_SHARED = 0.6
_COMPOUND = 0.35


class Speaker:
    """Finds words for the attributes of one bird.

    Args:
        attributes: the value of every attribute.
        rng: chooses among words.

    Attributes:
        unaltered: parts whose colour stands without a tone before it.
    """

    def __init__(self, attributes: Mapping[str, str], rng: np.random.Generator) -> None:
        self.attributes = attributes
        self.unaltered: set[str] = set()
        self._rng = rng

    def chance(self, probability: float) -> bool:
        """Decide something."""
        return bool(self._rng.random() < probability)

    def choose(self, words: Sequence[str]) -> str:
        """Choose a word."""
        return words[int(self._rng.random() * len(words))]

    def shuffled(self, names: Sequence[str]) -> list[str]:
        """Put attributes in random order."""
        return sorted(names, key=lambda _: self._rng.random())

    def colour(self, part: str) -> str:
        """Return the field of a colour, at times with a tone before it."""
        if self.chance(_TONED):
            return f"{self.choose(TONES[self.attributes[part]])} {{{part}}}"
        self.unaltered.add(part)
        return f"{{{part}}}"

    def noun(self, part: str) -> tuple[str, str]:
        """Return a noun for a part, and its verb."""
        nouns = PARTS[part].nouns
        return nouns[0] if self.chance(0.5) else nouns[int(self._rng.random() * len(nouns))]

    def subject(self, mentions: Sequence[str]) -> tuple[str, list[str]]:
        """Return ``small red-crowned bird`` and the attributes still to be said, shuffled."""
        rest = self.shuffled([name for name in mentions if name != "size"])
        words = [self.choose(SIZES[self.attributes["size"]])] if "size" in mentions else []
        if self.chance(_COMPOUND) and rest[0] != "wing_bars":
            name = rest.pop(0)
            words.append(self._compound(name))
        return " ".join([*words, "bird"]), rest

    def items(self, names: Sequence[str], article: bool) -> list[str]:
        """Return noun phrases that together speak of all ``names``.

        Args:
            names: any attributes but the size.
            article: whether singular nouns take one; without, the phrases may follow ``its``.
        """
        items: list[str] = []
        left = list(names)
        while left:
            name = left.pop(0)
            if name == "bill":
                phrase = f"{self.choose(BILLS[self.attributes[name]])} {self.choose(BILL_NOUNS)}"
                items.append(f"a {phrase}" if article else phrase)
            elif {name} | set(left) >= {"wing", "wing_bars"} and name in ("wing", "wing_bars"):
                left.remove("wing" if name == "wing_bars" else "wing_bars")
                items.append(f"{self._pattern()} {self.colour('wing')} wings")
            elif name == "wing_bars":
                marks = WING_MARKS[self.attributes[name]]
                said = self.choose(marks) if article and self.chance(0.5) else None
                items.append(said or f"{self._pattern()} wings")
            else:
                items.append(self._coloured(name, left, article))
        return items

    def _pattern(self) -> str:
        return self.choose(WING_PATTERNS[self.attributes["wing_bars"]])

    def _compound(self, name: str) -> str:
        if name == "bill":
            return BILL_COMPOUNDS[self.attributes[name]]
        self.unaltered.add(name)
        return f"{{{name}}}-{self.choose(PARTS[name].compounds)}"

    def _coloured(self, part: str, left: list[str], article: bool) -> str:
        # Takes a part of the same colour out of ``left`` when one word is to speak of both.
        twins = [
            name
            for name in left
            if name in COLOUR_PARTS
            and self.attributes[name] == self.attributes[part]
            and not (name == "wing" and "wing_bars" in left)
        ]
        if twins and self.chance(_SHARED):
            left.remove(twins[0])
            # Plural first: "red wings and tail", not "a red tail and wings".
            pair = sorted([part, twins[0]], key=lambda name: name != "wing")
            first, second = (PARTS[name].nouns[0] for name in pair)
            phrase = f"{{{'+'.join(pair)}}} {first[0]} and {second[0]}"
            return f"a {phrase}" if article and first[1] == "is" else phrase
        noun, verb = self.noun(part)
        phrase = f"{self.colour(part)} {noun}"
        return f"a {phrase}" if article and verb == "is" else phrase


def listed(items: Sequence[str]) -> str:
    """Join ``a, b and c``."""
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    colours = [name for name in names if name in COLOUR_PARTS]
    return colours, [name for name in names if name not in COLOUR_PARTS]


def _with(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    opening = speaker.choose(["a", "a", "this is a", "here is a", "there is a", "we see a"])
    return f"{opening} {subject} with {listed(speaker.items(rest, True))}"


def _has(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    verb = speaker.choose(["has", "has", "shows", "wears"])
    if verb == "wears" and {"bill", "wing_bars"} & set(rest):
        verb = "has"
    return f"{speaker.choose(['this', 'the'])} {subject} {verb} {listed(speaker.items(rest, True))}"


def _has_and_is(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours, others = _split(rest)
    last = colours.pop()
    noun, verb = speaker.noun(last)
    first = listed(speaker.items(speaker.shuffled([*colours, *others]), True))
    determiner = speaker.choose(["this", "the"])
    return f"{determiner} {subject} has {first}, and its {noun} {verb} {speaker.colour(last)}"


def _clauses(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours, others = _split(rest)
    owner = speaker.choose(["its", "the"])
    clauses = []
    for position, part in enumerate(colours):
        noun, verb = speaker.noun(part)
        # "its crown is red, its back green": the verb is said once.
        said = f" {verb}" if position == 0 or verb == "are" else ""
        clauses.append(f"{owner} {noun}{said} {speaker.colour(part)}")
    ending = f" with {listed(speaker.items(others, True))}" if others else ""
    if owner == "its":
        return f"this is a {subject}{ending}; {listed(clauses)}"
    return f"on this {subject}{ending}, {listed(clauses)}"


def _tell(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    opening = speaker.choose(
        [
            f"you can tell this {subject} by its",
            f"you would know this {subject} by its",
            f"what stands out on this {subject} is its",
            f"look at this {subject} with its",
        ]
    )
    return f"{opening} {listed(speaker.items(rest, False))}"


def _mark(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    items = speaker.items(rest, True)
    verb = speaker.choose(["mark", "set apart", "adorn"])
    if len(items) < 2 or any(item.startswith("no ") for item in items):
        return f"this {subject} has {listed(items)}"
    return f"{listed(items)} {verb} this {subject}"


def _places(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours, others = _split(rest)
    said = [f"{speaker.colour(part)} {speaker.choose(PARTS[part].places)}" for part in colours]
    ending = f", with {listed(speaker.items(others, True))}" if others else ""
    determiner = speaker.choose(["this", "the"])
    return f"{determiner} {subject} is {listed(said)}{ending}"


def _with_its(speaker: Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    if "wing" in rest and "wing_bars" in rest:
        rest.remove("wing_bars")
        rest.insert(rest.index("wing"), "wing_bars")
    middle = (len(rest) + 1) // 2
    if rest[middle - 1] == "wing_bars":
        middle += 1
    first, second = rest[:middle], rest[middle:]
    if not second:
        speaker.unaltered.clear()  # of the words that are not used
        return _has(speaker, mentions)
    verb = speaker.choose(["has", "also has", "also shows"])
    opening = f"with its {listed(speaker.items(first, False))}"
    return f"{opening}, this {subject} {verb} {listed(speaker.items(second, True))}"


SENTENCES: Final[tuple[Callable[[Speaker, Sequence[str]], str], ...]] = (
    _with,
    _with,
    _has,
    _has_and_is,
    _clauses,
    _tell,
    _mark,
    _places,
    _with_its,
)
"""Each writes about all the attributes it is given; the commonest stands twice."""


def write_english(
    attributes: Mapping[str, str], mentions: Sequence[str], rng: np.random.Generator
) -> tuple[str, set[str]]:
    """See :attr:`s2igan.corpora.minibirds.grammar.Grammar.write`."""
    speaker = Speaker(attributes, rng)
    return SENTENCES[int(rng.random() * len(SENTENCES))](speaker, mentions), speaker.unaltered
