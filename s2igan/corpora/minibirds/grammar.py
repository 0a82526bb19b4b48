"""The languages that captions of drawings are written in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from s2igan.corpora.attributes import COLOURS
from s2igan.corpora.minibirds.indonesian import COLOUR_WORDS, write_indonesian
from s2igan.corpora.minibirds.sentences import write_english


@dataclass(frozen=True)
class Grammar:
    """How one language speaks of a bird.

    Attributes:
        write: attributes of the bird, those to be spoken of and a source of chance → a sentence
            with fields such as ``{crown}`` or ``{wing+tail}`` where colour words stand, in small
            letters and without a full stop; and the parts whose colour stands without a tone.
        colours: the word for every one of :data:`s2igan.corpora.attributes.COLOURS`.
        fewest_words: of a caption.
        most_words: of a caption.
    """

    write: Callable[[Mapping[str, str], Sequence[str], np.random.Generator], tuple[str, set[str]]]
    colours: Mapping[str, str]
    fewest_words: int
    most_words: int


GRAMMARS: Final[Mapping[str, Grammar]] = {
    "english": Grammar(write_english, {colour: colour for colour in COLOURS}, 10, 18),
    "indonesian": Grammar(write_indonesian, COLOUR_WORDS, 10, 22),
}
"""By the values of ``corpus.minibirds.language``."""
