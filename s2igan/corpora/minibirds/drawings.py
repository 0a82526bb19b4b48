"""One drawing and its captions, each from a random stream of its own.

What is drawn depends on the seed, the species and the number of the drawing alone, not on the
number of workers, nor on how many other drawings there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s2igan.corpora.minibirds.captions import Caption, describe
from s2igan.corpora.minibirds.grammar import GRAMMARS
from s2igan.corpora.minibirds.painter import draw, encode

_PICTURE, _CAPTIONS = 1, 2
_STREAMS = {"train": 0, "val": 0, "test": 0, "reference": 1, "floor": 2}


@dataclass(frozen=True)
class Drawing:
    """What has to be known to draw and to describe one bird.

    Attributes:
        seed: the corpus's.
        class_id: number of the species.
        class_name: its name.
        attributes: a value for each of :data:`s2igan.corpora.attributes.ATTRIBUTES`.
        split: train, val, test, reference or floor.
        number: counts the drawings of this species in this split.
    """

    seed: int
    class_id: int
    class_name: str
    attributes: Mapping[str, str]
    split: str
    number: int

    def generator(self, purpose: int) -> np.random.Generator:
        """Return the random stream of this drawing for one purpose."""
        key = (self.seed, purpose, _STREAMS[self.split], self.class_id, self.number)
        return np.random.default_rng(key)


def encode_drawing(drawing: Drawing) -> bytes:
    """Draw a bird as the file of the corpus."""
    return encode(draw(drawing.attributes, drawing.generator(_PICTURE)))


def describe_drawing(language: str, drawing: Drawing) -> list[Caption]:
    """Write the ten captions of a drawing, in a language of :data:`GRAMMARS`."""
    return describe(drawing.attributes, drawing.generator(_CAPTIONS), GRAMMARS[language])
