"""The picture half of stage `features`: packed pixels and what pretrained networks see in them.

One pass over the corpus: worker processes decode, cut and resize; this process packs the pixels and
runs the backbones. A backbone looks at the picture itself through squares of its own input size, so
the resolution at which pixels are packed for a generator does not limit it; the share of the
picture that a square takes is that of the generator's crop (256 / 304 in the paper).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import ArrayWriter
from s2igan.engine.device import Precision, autocast
from s2igan.engine.distributed import exhaust, is_first, rank, shared_to_first, world
from s2igan.engine.pictures import Picture
from s2igan.engine.progress import bar
from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.engine.workers import parallel_map
from s2igan.vision.backbones import load_backbone
from s2igan.vision.config import VisionConfig
from s2igan.vision.crops import CENTRE, draw_views
from s2igan.vision.interface import Backbone, BackboneOutput, as_images
from s2igan.vision.pixels import PixelWriter
from s2igan.vision.preparation import Geometry, Prepared, Source, prepare

Features = npt.NDArray[np.float32]

FEATURES = "backbone.npy"
_ROWS = 1024
_STILL = 1e-6


def write_vision(
    config: VisionConfig,
    *,
    corpus: Path,
    weights: Path,
    out: Path,
    device: torch.device,
    workers: int,
) -> None:
    """Write packed pixels and standardised backbone features of every picture.

    Args:
        config: geometry, backbones and views.
        corpus: a corpus folder.
        weights: folder of downloaded weight files.
        out: an existing folder, into which the first of several processes writes; gets
            ``pixels.*``, ``shapes.npy``, ``backbone.npy`` ``(n, V, D)`` float32 (view 0 the centre;
            other views are random in split `train` and repeat view 0 elsewhere),
            ``backbone.safetensors`` and ``backbone.json``.
        device: where the backbones compute.
        workers: processes that decode and resize; never changes the result.

    Raises:
        UserError: if a picture does not decode, or weights are missing.
    """
    pictures = Corpus(corpus)
    train = (pictures.images["split"] == "train").to_numpy(np.bool_)
    backbones = [load_backbone(name, weights).to(device) for name in config.backbones]
    geometry = Geometry(
        box_scale=config.box_scale,
        shorter_side=config.shorter_side,
        share=config.crop / config.shorter_side,
        squares=tuple(backbone.input_size for backbone in backbones),
    )
    groups = -(-len(train) // config.batch)
    sources = _sources(pictures, train, config, range(rank(), groups, world()))
    prepared = parallel_map(partial(prepare, geometry), sources, workers)
    seen = shared_to_first(_looked_at(prepared, backbones, config), groups)
    if not is_first():
        exhaust(seen)
        return
    row_shape = (config.views, sum(backbone.dimension for backbone in backbones))
    progress = bar(len(train), "look", unit="pictures")
    with (
        progress,
        PixelWriter(out) as pixels,
        ArrayWriter(out / FEATURES, np.float32, row_shape) as writer,
    ):
        for group in seen:
            for packed, views in group:
                pixels.append(packed)
                writer.append(np.broadcast_to(views, row_shape)[None])
            progress.update(len(group))
    mean, std = standardise(out / FEATURES, train)
    _describe(out, backbones, mean, std)


def _sources(
    pictures: Corpus, train: npt.NDArray[np.bool_], config: VisionConfig, groups: Iterable[int]
) -> Iterator[Source]:
    names, boxes = pictures.images["name"].tolist(), pictures.images["box"].tolist()
    rows = np.arange(len(names))
    for row in chain.from_iterable(rows[g * config.batch :][: config.batch] for g in groups):
        random = draw_views(config.views - 1, config.seed, int(row)) if train[row] else []
        box = boxes[row]
        yield Source(
            data=pictures.picture_bytes(int(row)),
            name=names[row],
            upright=pictures.upright,
            box=None if box is None else tuple(float(value) for value in box),
            views=(CENTRE, *random),
        )


def _looked_at(
    prepared: Iterator[Prepared], backbones: Sequence[Backbone], config: VisionConfig
) -> Iterator[list[tuple[Picture, Features]]]:
    see = partial(see_squares, backbones, batch=config.batch, precision=config.precision)
    while group := list(islice(prepared, config.batch)):
        views = see([item.squares for item in group])
        yield [(item.pixels, seen) for item, seen in zip(group, views, strict=True)]


def see_squares(
    backbones: Sequence[Backbone],
    pictures: Sequence[Sequence[Picture]],
    *,
    batch: int,
    precision: Precision,
) -> list[Features]:
    """Run every backbone over all views of several pictures.

    Args:
        backbones: in the order in which their features are joined, all on one device.
        pictures: per picture and backbone ``(views, S, S, 3)`` uint8.
        batch: views per forward pass.
        precision: of the forward passes.

    Returns:
        Per picture ``(views, D)`` float32.
    """
    columns = []
    for backbone, per_picture in zip(backbones, zip(*pictures, strict=True), strict=True):
        squares = np.concatenate(per_picture)  # (all views, S, S, 3)
        parts = (squares[start : start + batch] for start in range(0, len(squares), batch))
        columns.append(torch.cat([_see(backbone, part, precision) for part in parts]))
    features = torch.cat(columns, dim=1).numpy()
    ends = list(accumulate(len(squares[0]) for squares in pictures))
    return np.split(features, ends[:-1])


@torch.inference_mode()
def _see(backbone: Backbone, squares: Picture, precision: Precision) -> torch.Tensor:
    device = next(backbone.parameters()).device
    with autocast(device, precision):
        output: BackboneOutput = backbone(as_images(squares, device))
    return output.features.float().cpu()


def standardise(path: Path, train: npt.NDArray[np.bool_]) -> tuple[Features, Features]:
    """Standardise packed features in place by mean and deviation over training pictures and views.

    A feature that never changes keeps a deviation of 1.

    Args:
        path: ``(n, V, D)`` float32.
        train: which rows are of split `train`, ``(n,)``.

    Returns:
        Mean and standard deviation, ``(D,)`` float32 each.
    """
    views = open_memmap(path, mode="r").shape[1]
    count = int(train.sum()) * views
    total = sum(block[train[rows]].sum((0, 1), np.float64) for rows, block in _blocks(path))
    mean = total / count
    spread = sum(((block[train[rows]] - mean) ** 2).sum((0, 1)) for rows, block in _blocks(path))
    std = np.sqrt(spread / count)
    std[std < _STILL] = 1.0
    for _, block in _blocks(path):
        block[:] = (block - mean) / std
    return mean.astype(np.float32), std.astype(np.float32)


def _blocks(path: Path) -> Iterator[tuple[slice, Features]]:
    """Map ``(n, V, D)`` float32 on disk block by block, writable, as ``(rows, block)``.

    The pages of a map count as this process's memory until it is closed, so none is longer than a
    block.
    """
    whole = open_memmap(path, mode="r")
    for start in range(0, len(whole), _ROWS):
        rows = slice(start, min(start + _ROWS, len(whole)))
        offset = whole.offset + start * whole.strides[0]
        yield rows, np.memmap(path, np.float32, "r+", offset, whole[rows].shape)


def _describe(out: Path, backbones: Sequence[Backbone], mean: Features, std: Features) -> None:
    ends = np.cumsum([backbone.dimension for backbone in backbones]).tolist()
    write_json(
        out / "backbone.json",
        {
            "names": [backbone.name for backbone in backbones],
            "dimension": len(mean),
            "slices": {
                backbone.name: [end - backbone.dimension, end]
                for backbone, end in zip(backbones, ends, strict=True)
            },
            "weights": {backbone.name: backbone.file for backbone in backbones},
            "layers_without_weights": {
                backbone.name: list(backbone.missing) for backbone in backbones
            },
        },
    )
    write_weights(
        out / "backbone.safetensors",
        {"mean": torch.from_numpy(mean), "std": torch.from_numpy(std)},
    )
