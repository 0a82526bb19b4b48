"""The language that a model was spoken to in, as far as the page speaks it too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from s2igan.corpora.minibirds.grammar import GRAMMARS
from s2igan.serving.card import is_minibirds


@dataclass(frozen=True)
class Language:
    """What the page needs to know of a language.

    Attributes:
        name: in English.
        colours: words for colours that a model has heard.
        more_colours: other such words, which may be changed too.
        colour_last: whether a colour stands behind what has it.
        examples: sentences about birds.
    """

    name: str
    colours: tuple[str, ...]
    more_colours: tuple[str, ...]
    colour_last: bool
    examples: tuple[str, ...]


def _colours(language: str) -> tuple[str, ...]:
    return tuple(GRAMMARS[language].colours.values())


ENGLISH: Final = Language(
    name="English",
    colours=_colours("english"),
    more_colours=("gray", "orange", "pink", "purple"),
    colour_last=False,
    examples=(
        "A small bird with a red crown, a yellow belly and brown wings.",
        "This bird has a blue back, a white belly and a long bill.",
        "A large black bird with barred wings and a red tail.",
        "A medium-sized bird with a green crown and a grey tail.",
    ),
)
INDONESIAN: Final = Language(
    name="Indonesian",
    colours=_colours("indonesian"),
    more_colours=("coklat", "jingga", "ungu"),
    colour_last=True,
    examples=(
        "Burung kecil ini memiliki mahkota merah, perut kuning dan sayap cokelat.",
        "Ini burung dengan punggung biru, perut putih dan paruh panjang.",
        "Burung besar ini memiliki punggung hitam, sayap bergaris dan ekor merah.",
        "Tampak burung berukuran sedang dengan mahkota hijau dan ekor abu-abu.",
    ),
)
_OF_MINIBIRDS: Final = {"english": ENGLISH, "indonesian": INDONESIAN}


def language_of(card: Mapping[str, Any]) -> Language:
    """Return the language of MiniBirds' captions; those of other corpora are in English."""
    if not is_minibirds(card):
        return ENGLISH
    written = card["corpus"].get("minibirds", {}).get("language")
    return _OF_MINIBIRDS.get(written, ENGLISH)
