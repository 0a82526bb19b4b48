"""Indonesian captions: no articles, no inflection, every word behind the noun that it speaks of.

A second language whose words for colours and parts share nothing with the English ones, spoken by
espeak-ng's voice ``id``. Colours are left as fields, see :mod:`s2igan.corpora.minibirds.captions`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from s2igan.corpora.attributes import COLOUR_PARTS

COLOUR_WORDS: Final[dict[str, str]] = {
    "red": "merah",
    "yellow": "kuning",
    "green": "hijau",
    "blue": "biru",
    "brown": "cokelat",
    "black": "hitam",
    "white": "putih",
    "grey": "abu-abu",
}
"""The word for each colour."""

_TONES: Final[dict[str, tuple[str, ...]]] = {
    "red": ("cerah", "tua", "menyala"),
    "yellow": ("cerah", "terang", "menyala"),
    "green": ("daun", "tua", "cerah"),
    "blue": ("cerah", "tua", "terang"),
    "brown": ("tua", "hangat", "gelap"),
    "black": ("pekat", "legam", "mengilap"),
    "white": ("bersih", "salju", "murni"),
    "grey": ("kusam", "lembut", "berasap"),
}
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "crown": ("mahkota", "puncak kepala"),
    "back": ("punggung", "mantel"),
    "belly": ("perut", "dada", "bagian bawah tubuh"),
    "wing": ("sayap",),
    "tail": ("ekor", "bulu ekor"),
}
_SIZES: Final[dict[str, tuple[str, ...]]] = {
    "small": ("kecil", "mungil", "bertubuh kecil"),
    "medium": ("berukuran sedang", "bertubuh sedang"),
    "large": ("besar", "bertubuh besar"),
}
_BILLS: Final[dict[str, tuple[str, ...]]] = {
    "short": ("pendek", "pendek runcing"),
    "long": ("panjang", "panjang tipis", "panjang ramping"),
    "hooked": ("bengkok", "bengkok tajam", "melengkung dan bengkok"),
}
_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("polos", "tanpa garis"),
    "barred": ("bergaris", "bergaris tegas", "bergaris ganda"),
}
_TONED, _SHARED = 0.15, 0.6


class _Speaker:
    """Finds words for the attributes of one bird; ``unaltered`` are parts without a tone."""

    def __init__(self, attributes: Mapping[str, str], rng: np.random.Generator) -> None:
        self.attributes = attributes
        self.unaltered: set[str] = set()
        self._rng = rng

    def chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)

    def choose(self, words: Sequence[str]) -> str:
        return words[int(self._rng.random() * len(words))]

    def colour(self, part: str) -> str:
        if self.chance(_TONED):
            return f"{{{part}}} {self.choose(_TONES[self.attributes[part]])}"
        self.unaltered.add(part)
        return f"{{{part}}}"

    def subject(self, mentions: Sequence[str]) -> tuple[str, list[str]]:
        """Return ``burung kecil`` and the attributes still to be said, shuffled."""
        rest = sorted(
            (name for name in mentions if name != "size"), key=lambda _: self._rng.random()
        )
        if "size" not in mentions:
            return "burung", rest
        return f"burung {self.choose(_SIZES[self.attributes['size']])}", rest

    def items(self, names: Sequence[str]) -> list[str]:
        """Return noun phrases that together speak of all ``names``."""
        items: list[str] = []
        left = list(names)
        while left:
            name = left.pop(0)
            if name == "bill":
                items.append(f"paruh {self.choose(_BILLS[self.attributes[name]])}")
            elif name in ("wing", "wing_bars"):
                other = "wing_bars" if name == "wing" else "wing"
                both = other in left
                if both:
                    left.remove(other)
                items.append(
                    self._wings(colour=both or name == "wing", pattern=both or name != "wing")
                )
            else:
                items.append(self._coloured(name, left))
        return items

    def _wings(self, *, colour: bool, pattern: bool) -> str:
        said = ["sayap"]
        if colour:
            said.append(self.colour("wing"))
        if pattern:
            said.append(self.choose(_PATTERNS[self.attributes["wing_bars"]]))
        return " ".join(said)

    def _coloured(self, part: str, left: list[str]) -> str:
        # Takes a part of the same colour out of ``left`` when one word is to speak of both.
        twins = [
            name
            for name in left
            if name in COLOUR_PARTS
            and name != "wing"
            and self.attributes[name] == self.attributes[part]
        ]
        if twins and self.chance(_SHARED):
            left.remove(twins[0])
            return f"{_PARTS[part][0]} dan {_PARTS[twins[0]][0]} {{{part}+{twins[0]}}}"
        return f"{self.choose(_PARTS[part])} {self.colour(part)}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} dan {items[-1]}"


def _with(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    opening = speaker.choose(["ini", "inilah", "di sini ada", "tampak", "kita melihat"])
    return f"{opening} {subject} dengan {_listed(speaker.items(rest))}"


def _has(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    verb = speaker.choose(["memiliki", "mempunyai", "memperlihatkan"])
    return f"{subject} ini {verb} {_listed(speaker.items(rest))}"


def _has_and_is(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours = [name for name in rest if name in COLOUR_PARTS and name != "wing"]
    if not colours:
        return _has(speaker, mentions)
    last = colours[-1]
    rest.remove(last)
    noun = f"{speaker.choose(_PARTS[last])}nya"
    said = speaker.choose(["berwarna ", ""])
    first = _listed(speaker.items(rest))
    return f"{subject} ini memiliki {first}, sedangkan {noun} {said}{speaker.colour(last)}"


def _clauses(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours = [name for name in rest if name in COLOUR_PARTS]
    others = [name for name in rest if name not in COLOUR_PARTS]
    said = [f"{speaker.choose(_PARTS[part])}nya {speaker.colour(part)}" for part in colours]
    ending = f" dengan {_listed(speaker.items(others))}" if others else ""
    return f"pada {subject} ini{ending}, {_listed(said)}"


def _tell(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    opening = speaker.choose(
        [
            f"kita mengenali {subject} ini dari",
            f"yang menonjol pada {subject} ini adalah",
            f"lihatlah {subject} ini dengan",
        ]
    )
    return f"{opening} {_listed(speaker.items(rest))}"


def _adorn(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    verb = speaker.choose(["menghiasi", "menandai"])
    return f"{_listed(speaker.items(rest))} {verb} {subject} ini"


def _places(speaker: _Speaker, mentions: Sequence[str]) -> str:
    subject, rest = speaker.subject(mentions)
    colours = [name for name in rest if name in COLOUR_PARTS]
    others = [name for name in rest if name not in COLOUR_PARTS]
    said = [f"{speaker.colour(part)} di {speaker.choose(_PARTS[part])}" for part in colours]
    ending = f", dengan {_listed(speaker.items(others))}" if others else ""
    return f"{subject} ini berwarna {_listed(said)}{ending}"


_SENTENCES: Final[tuple[Callable[[_Speaker, Sequence[str]], str], ...]] = (
    _with,
    _with,
    _has,
    _has_and_is,
    _clauses,
    _tell,
    _adorn,
    _places,
)


def write_indonesian(
    attributes: Mapping[str, str], mentions: Sequence[str], rng: np.random.Generator
) -> tuple[str, set[str]]:
    """See :attr:`s2igan.corpora.minibirds.grammar.Grammar.write`."""
    speaker = _Speaker(attributes, rng)
    sentence = _SENTENCES[int(rng.random() * len(_SENTENCES))](speaker, mentions)
    return sentence, speaker.unaltered
