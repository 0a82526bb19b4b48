"""Drawings to train the attribute readers on, seen exactly as the pipeline sees its pictures.

A drawing of 256 px goes through the JPEG file of the corpus and the resize of the features stage,
so a reader meets no other filter, sharpness or compression later than it was trained with.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.corpora.minibirds.painter import draw, encode
from s2igan.engine.arrays import ArrayWriter, open_array
from s2igan.engine.checkpoint import checkpoint_key
from s2igan.engine.closure import own_sources
from s2igan.engine.pictures import Picture, decode_picture
from s2igan.engine.progress import bar
from s2igan.engine.seeding import numpy_generator
from s2igan.engine.workers import parallel_map
from s2igan.vision.crops import resize_shorter_side

SIDE = 76
"""Side of a stored drawing: the 64-px crop of a reader is to it as 256 px to 304 px."""

Labels = npt.NDArray[np.int64]


def random_labels(count: int, seed: int) -> Labels:
    """Draw every attribute of ``count`` birds independently: ``(count, 8)``, indices of values."""
    rng = numpy_generator(seed)
    sizes = [len(VALUES[attribute]) for attribute in ATTRIBUTES]
    return rng.integers(0, sizes, size=(count, len(sizes)))


def draw_labelled(labels: Labels, rng: np.random.Generator) -> Picture:
    """Draw a bird of the attributes ``(8,)`` as the pipeline sees it, ``(76, 76, 3)`` uint8."""
    attributes = {
        attribute: VALUES[attribute][int(value)]
        for attribute, value in zip(ATTRIBUTES, labels, strict=True)
    }
    return resize_shorter_side(decode_picture(encode(draw(attributes, rng)), "drawing"), SIDE)


def draw_all(labels: Labels, seed: int, workers: int) -> Iterator[Picture]:
    """Draw every row of ``labels``; drawing i depends on the seed, i and its labels alone."""
    chunks = [range(start, min(start + 50, len(labels))) for start in range(0, len(labels), 50)]
    for drawings in parallel_map(partial(_draw_chunk, labels, seed), chunks, workers):
        yield from drawings


def _draw_chunk(labels: Labels, seed: int, rows: range) -> list[Picture]:
    return [draw_labelled(labels[row], numpy_generator(seed, row)) for row in rows]


def cached_drawings(
    folder: Path, name: str, labels: Labels, seed: int, workers: int
) -> npt.NDArray[np.uint8]:
    """Draw ``labels`` once and keep the drawings as ``<folder>/<name>.npy``, ``(n, 76, 76, 3)``.

    They are drawn anew where labels, seed or a source file of the painter is another than then.
    """
    pixels, drawn = folder / f"{name}.npy", folder / f"{name}.key"
    key = _key(labels, seed)
    if not (pixels.is_file() and drawn.is_file() and drawn.read_text("utf-8") == key):
        folder.mkdir(parents=True, exist_ok=True)
        drawn.unlink(missing_ok=True)
        with ArrayWriter(pixels, np.uint8, (SIDE, SIDE, 3)) as writer:
            for drawing in bar(draw_all(labels, seed, workers), f"draw {name}", total=len(labels)):
                writer.append(drawing[None])
        drawn.write_text(key, "utf-8")
    return open_array(pixels)


def _key(labels: Labels, seed: int) -> str:
    drawn = f"{seed} {hashlib.sha256(labels.tobytes()).hexdigest()}"
    return checkpoint_key(drawn, [], own_sources(__name__))
