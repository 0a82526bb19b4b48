"""Real pictures and their embeddings, to lay beside what was drawn.

Speech and pictures share one space (paper §2.2), so the pictures nearest to an utterance show what
the speech encoder understood of it, whatever the generator made of that.
"""

import filecmp
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from s2igan.engine.arrays import open_array
from s2igan.engine.pictures import Picture
from s2igan.engine.seeding import numpy_generator
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError, unreadable_output
from s2igan.serving.networks import ENCODER_WEIGHTS
from s2igan.serving.origin import pipeline_root
from s2igan.vision.pixels import PackedPixels

FILE = "gallery.safetensors"
"""Beside an exported model: ``pictures``, lossless WebP files one after another, ``ends``, the
``(n,)`` places at which they end, and their ``(n, E)`` ``embeddings``."""

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Gallery:
    """Real pictures in the space of speech.

    Args:
        pictures: any number of ``(S, S, 3)`` uint8 pictures of one size, in memory or packed.
        embeddings: ``(n, E)`` float32 of unit length but for rounding, by SEN's image encoder.
    """

    pictures: "Picture | PackedSquares"
    embeddings: Embeddings

    def nearest(self, embedding: Embeddings, count: int) -> tuple[Picture, Embeddings]:
        """Find the pictures nearest to an utterance, nearest first.

        Args:
            embedding: ``(E,)`` float32, a speech embedding.
            count: how many, at most as many as there are.

        Returns:
            ``(count, S, S, 3)`` uint8 and the cosines, ``(count,)`` float32.
        """
        cosines = self.embeddings @ (embedding / np.linalg.norm(embedding))  # (n, E) @ (E,) -> (n,)
        order = np.argsort(-cosines, kind="stable")[:count]
        return np.stack([self.pictures[int(index)] for index in order]), cosines[order]


class PackedSquares:
    """The centre squares of packed pictures ``rows`` ``(n,)``, as large as all of them hold."""

    def __init__(self, features: Path, rows: npt.NDArray[np.integer]) -> None:
        self._pixels = PackedPixels(features)
        self._rows = rows
        self._side = int(self._pixels.shapes[rows].min())

    def __getitem__(self, index: int) -> Picture:
        square: Picture = self._pixels.crops([self._rows[index]], self._side, None)[0]
        return square


def find_gallery(folder: Path, dimension: int) -> Gallery | str:
    """Open the real pictures that belong to a model.

    Args:
        folder: an exported model, or ``artifacts/rdg`` among the outputs of the other stages.
        dimension: E, numbers of an embedding of the model's encoder.

    Returns:
        The pictures, or why there are none.

    Raises:
        UserError: if there are files that do not fit each other, or the model.
    """
    if (folder / FILE).is_file():
        return _read(folder / FILE, dimension)
    names = ("corpus", "features", "sen", "embeddings")
    root = pipeline_root(folder)
    artifacts = root / "artifacts" if root else folder.parent
    corpus, features, sen, embeddings = (artifacts / name for name in names)
    needed = (
        corpus / "index.parquet",
        features / "pixels.npy",
        embeddings / "image.npy",
        sen / ENCODER_WEIGHTS,
    )
    if not all(path.is_file() for path in needed):
        return "This model came without real pictures."
    if not _same_encoder(folder, sen):
        return (
            "This model hears with an encoder of its own, and no picture has been placed in "
            "what it hears."
        )
    # A pipeline's folder is read where a pipeline's packages are; an exported model needs none.
    from s2igan.sen.origin import check_origin

    check_origin(embeddings, sen, ["image.npy"])
    rows, total = _described(corpus)
    views = open_array(embeddings / "image.npy", ndim=3)  # (all pictures, views, E)
    packed = open_array(features / "shapes.npy", ndim=2)
    if not len(views) == len(packed) == total:
        raise unreadable_output(
            f"pictures of {str(artifacts)!r}",
            f"{len(views)} embedded and {len(packed)} packed, not {total} as in the corpus",
        )
    if views.shape[2] != dimension:
        raise unreadable_output(
            f"pictures of {str(artifacts)!r}", _of_another_model(views.shape[2], dimension)
        )
    return Gallery(PackedSquares(features, rows), np.array(views[rows, 0], np.float32))


def write_gallery(folder: Path, model: Path, *, dimension: int, side: int, count: int) -> None:
    """Write a few real pictures beside an exported model, if it has any, from all over the corpus.

    The same pictures give the same bytes: at most ``count``, of ``side`` px. The rest is as for
    :func:`find_gallery`.
    """
    gallery = find_gallery(model, dimension)
    if isinstance(gallery, str):
        return
    chosen = _spread(len(gallery.embeddings), count)
    files = [_compressed(_resized(gallery.pictures[index], side)) for index in chosen]
    write_weights(
        folder / FILE,
        {
            "pictures": torch.frombuffer(bytearray(b"".join(files)), dtype=torch.uint8),
            "ends": torch.tensor([len(file) for file in files]).cumsum(0),
            "embeddings": torch.from_numpy(gallery.embeddings[chosen]).half(),
        },
    )


def _described(corpus: Path) -> tuple[npt.NDArray[np.integer], int]:
    """Return the rows of the pictures that have descriptions, not of those kept for fidelity, and
    how many there are with those.
    """
    from s2igan.engine.tables import read_table

    split = read_table(corpus / "index.parquet", ["split"], only=True)["split"]
    return np.flatnonzero(split.isin(["train", "val", "test"])), len(split)


def _spread(total: int, count: int) -> Sequence[int]:
    # A corpus lists its pictures class by class: one out of each of equally long stretches.
    edges = np.linspace(0, total, min(count, total) + 1).astype(int)
    rng = numpy_generator(0)
    return [int(rng.integers(low, high)) for low, high in pairwise(edges)]


def _resized(picture: Picture, side: int) -> Picture:
    resized = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def _compressed(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "webp", lossless=True)
    return file.getvalue()


def _uncompressed(files: Tensor, ends: Tensor) -> Picture:
    """Return ``(n, S, S, 3)`` uint8 of the pictures of an exported model."""
    content = files.numpy().tobytes()
    pictures = (
        Image.open(io.BytesIO(content[low:high]), formats=["WEBP"])
        for low, high in pairwise([0, *ends.tolist()])
    )
    return np.stack([np.asarray(picture) for picture in pictures])


def _same_encoder(rdg: Path, sen: Path) -> bool:
    own = rdg / ENCODER_WEIGHTS
    return own.is_file() and filecmp.cmp(own, sen / ENCODER_WEIGHTS, shallow=False)


def _of_another_model(found: int, wanted: int) -> str:
    return f"embeddings of {found} numbers, not of {wanted} as the model's"


def _read(path: Path, dimension: int) -> Gallery:
    try:
        tensors = load_file(path)
        pictures = _uncompressed(tensors["pictures"], tensors["ends"])
        embeddings = tensors["embeddings"].float().numpy()
        if len(embeddings) != len(pictures):
            raise ValueError(f"{len(pictures)} pictures and {len(embeddings)} embeddings")
        if embeddings.shape[1] != dimension:
            raise ValueError(_of_another_model(embeddings.shape[1], dimension))
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise UserError(
            f"real pictures {str(path)!r}",
            got=str(error).splitlines()[0],
            expected="pictures and embeddings as `s2igan export` writes them",
            fix="export the model again, or delete the file to do without",
        ) from error
    return Gallery(pictures, embeddings)
