"""A corpus whose classes are colours, for networks that learn to tell classes apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from s2igan.corpora.index import Corpus, write_corpus
from s2igan.vision.pixels import PixelWriter

KIND, EDITION, SIDE, PER_CLASS = "painted", "flat", 20, 12
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (30, 40, 220),
    "white": (230, 230, 230),
}
"""The test classes; two grey ones are for training."""


def write_colours(
    folder: Path,
    names: Sequence[str] = tuple(COLOURS),
    *,
    kind: str = KIND,
    per_class: int = PER_CLASS,
    has_classes: bool = True,
) -> Corpus:
    """Write ``corpus`` and ``features`` with noisy pictures of 20 px, and open the corpus."""
    shades = {"dark": (60, 60, 60), "light": (160, 160, 160)}
    rows = [("train", name) for name in shades] + [("test", name) for name in names]
    images = pd.DataFrame(
        [
            {"split": split, "class_id": number, "class_name": name}
            for number, (split, name) in enumerate(rows)
            for _ in range(per_class)
        ]
    )
    images["name"] = [f"{row:03d}.png" for row in range(len(images))]
    described = pd.DataFrame({"image": range(len(images)), "position": 0, "role": "caption"})
    info = {"kind": kind, "edition": EDITION, "has_classes": has_classes}
    pictures = (b"picture" for _ in range(len(images)))
    write_corpus(folder / "corpus", images, pictures, described, info=info)
    (folder / "features").mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    with PixelWriter(folder / "features") as pixels:
        for name in images["class_name"]:
            pixels.append(painted({**shades, **COLOURS}.get(name, (0, 0, 0)), rng))
    return Corpus(folder / "corpus")


def painted(colour: tuple[int, int, int], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Paint a noisy picture of one colour, a little wider than high."""
    noise = rng.normal(0, 20, (SIDE, SIDE + 4, 3))
    return (noise + colour).clip(0, 255).astype(np.uint8)
