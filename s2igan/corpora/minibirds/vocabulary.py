"""The words that captions choose from."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PartWords:
    """How one part of a bird is spoken of; none of the words can mean another part.

    Attributes:
        nouns: the part with its verb form, ``is`` or ``are``; the first is the usual one.
        compounds: what follows a colour and a hyphen.
        places: what follows a colour and a space.
    """

    nouns: tuple[tuple[str, str], ...]
    compounds: tuple[str, ...]
    places: tuple[str, ...]


PARTS: Final[dict[str, PartWords]] = {
    "crown": PartWords(
        nouns=(("crown", "is"), ("cap", "is")),
        compounds=("crowned", "capped"),
        places=("on the crown", "on top of the head"),
    ),
    "back": PartWords(
        nouns=(("back", "is"), ("mantle", "is")),
        compounds=("backed",),
        places=("on the back", "along the back"),
    ),
    "belly": PartWords(
        nouns=(("belly", "is"), ("breast", "is"), ("underside", "is")),
        compounds=("bellied", "breasted"),
        places=("on the belly", "underneath", "below"),
    ),
    "wing": PartWords(
        nouns=(("wings", "are"),),
        compounds=("winged",),
        places=("on the wings",),
    ),
    "tail": PartWords(
        nouns=(("tail", "is"), ("tail feathers", "are")),
        compounds=("tailed",),
        places=("on the tail",),
    ),
}
"""Words for each of :data:`s2igan.corpora.attributes.COLOUR_PARTS`."""

TONES: Final[dict[str, tuple[str, ...]]] = {
    "red": ("bright", "deep", "vivid"),
    "yellow": ("bright", "lemon", "vivid"),
    "green": ("leaf", "deep", "vivid"),
    "blue": ("bright", "deep", "vivid"),
    "brown": ("warm", "dark", "rich"),
    "black": ("jet", "deep", "glossy"),
    "white": ("snowy", "pure", "clean"),
    "grey": ("dull", "soft", "smoky"),
}
"""Words that may stand before a colour; the plain colour word always follows."""

SIZES: Final[dict[str, tuple[str, ...]]] = {
    "small": ("small", "little", "tiny"),
    "medium": ("medium-sized", "mid-sized", "middle-sized"),
    "large": ("large", "big", "hefty"),
}

BILLS: Final[dict[str, tuple[str, ...]]] = {
    "short": ("short", "stubby", "short pointed"),
    "long": ("long", "long thin", "long slender"),
    "hooked": ("hooked", "strongly hooked", "curved and hooked"),
}
BILL_NOUNS: Final = ("bill", "beak")
BILL_COMPOUNDS: Final[dict[str, str]] = {
    "short": "short-billed",
    "long": "long-billed",
    "hooked": "hook-billed",
}

WING_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("plain", "unmarked", "unbarred"),
    "barred": ("barred", "boldly barred", "double-barred"),
}
"""What stands before the wings."""

WING_MARKS: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("no wing bars", "no bars on the wings"),
    "barred": ("two wing bars", "two bars on the wings"),
}
"""What a bird has, said without the wings' colour."""
