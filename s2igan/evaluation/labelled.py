"""Real pictures of the test classes with their classes, for fine-tuning."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from s2igan.corpora.index import Corpus
from s2igan.engine.seeding import numpy_generator
from s2igan.errors import UserError
from s2igan.evaluation.fine_tuned import classes_of
from s2igan.vision.pixels import PackedPixels

Rows = npt.NDArray[np.int64]

SPLIT = "test"
_HELD_OUT = 0.1
_PAPER_SHARE = 256 / 304


@dataclass(frozen=True)
class Pictures:
    """Packed pictures of known classes.

    Attributes:
        pixels: all pictures of the corpus.
        rows: ``(n,)``, those meant here.
        labels: ``(n,)``, positions of their classes.
        crop: side of the squares cut out of them, px.
        size: side that the squares are brought to, px.
    """

    pixels: PackedPixels
    rows: Rows
    labels: Rows
    crop: int
    size: int

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Rows) -> "Pictures":
        """Select pictures by their place among these."""
        return Pictures(self.pixels, self.rows[places], self.labels[places], self.crop, self.size)

    def squares(self, rng: np.random.Generator | None) -> Tensor:
        """Return ``(n, 3, size, size)`` in [0, 1]: random crops and flips, or centres for None."""
        squares = torch.from_numpy(self.pixels.crops(self.rows, self.crop, rng))
        images = squares.permute(0, 3, 1, 2).float()  # (n, 3, crop, crop)
        if self.crop != self.size:
            images = F.interpolate(images, (self.size, self.size), mode="area").round()
        return images / 255

    def batches(self, count: int) -> Iterator["Pictures"]:
        """Cut these into parts of ``count``."""
        for start in range(0, len(self), count):
            yield self.take(np.arange(start, min(start + count, len(self))))


def open_pictures(corpus: Corpus, features: Path, crop: int | None, size: int | None) -> Pictures:
    """Open the pictures of the test classes.

    Args:
        corpus: whose.
        features: ``artifacts/features``, where they are packed.
        crop: side of the squares, px; None = the paper's share of the shorter side, 256 / 304.
        size: side that they are shown at, px; None = as they are cut.

    Raises:
        UserError: if there are fewer than two classes, or a class has a single picture.
    """
    names = classes_of(corpus)
    pixels = PackedPixels(features)
    corpus.check_rows(pictures={"pixels.npy": len(pixels)})
    rows = np.flatnonzero(corpus.images["split"].to_numpy() == SPLIT).astype(np.int64)
    numbers, labels, counts = np.unique(
        corpus.images["class_id"].to_numpy()[rows], return_inverse=True, return_counts=True
    )
    if len(numbers) < 2:
        raise UserError("test classes of the corpus", got=len(numbers), expected="at least 2")
    if counts.min() < 2:
        raise UserError(
            f"test class {names[int(counts.argmin())]!r}", got="one picture", expected="at least 2"
        )
    cut = crop or round(int(pixels.shapes[rows].min()) * _PAPER_SHARE)
    return Pictures(pixels, rows, labels.astype(np.int64), cut, size or cut)


def hold_out(pictures: Pictures, seed: int) -> tuple[Pictures, Pictures]:
    """Part a tenth of each class, at least one picture, from the others.

    Returns:
        The pictures to learn, and those held out.
    """
    order = numpy_generator(seed, 0).permutation(len(pictures))
    held: list[int] = []
    for label in np.unique(pictures.labels):
        own = order[pictures.labels[order] == label]
        held += own[: max(1, round(len(own) * _HELD_OUT))].tolist()
    kept = np.setdiff1d(np.arange(len(pictures)), held)
    return pictures.take(kept), pictures.take(np.sort(np.array(held, np.int64)))
