"""Diversity: does one sentence give many pictures, and none that was merely remembered?"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from torch.nn import functional as F

from s2igan.evaluation.figures import Resampling, absent
from s2igan.evaluation.judge import Rows, Source
from s2igan.evaluation.material import Judged
from s2igan.evaluation.wording import noun_of
from s2igan.metrics.distances import mean_pairwise_distance, nearest_distances
from s2igan.vision.interface import as_images

Floats = npt.NDArray[np.float32]

_LARGEST = 64
_PICTURES_PER_BLOCK = 256


def pixel_vectors(source: Source, rows: Rows) -> Floats:
    """Flatten pictures so that their Euclidean distance is the root mean square difference.

    Larger pictures are averaged down to 64 px, which bounds memory at any size.

    Args:
        source: of the pictures.
        rows: ``(n,)``, which of them.

    Returns:
        ``(n, S * S * 3)`` float32, S at most 64; black and white are 1 apart.
    """
    blocks = []
    for start in range(0, len(rows), _PICTURES_PER_BLOCK):
        images = as_images(source(rows[start : start + _PICTURES_PER_BLOCK]))  # (n, 3, S, S)
        if images.shape[-1] > _LARGEST:
            images = F.interpolate(images, (_LARGEST, _LARGEST), mode="area")
        blocks.append(images.flatten(1).numpy())
    vectors = np.concatenate(blocks)
    return np.asarray(vectors / np.float32(np.sqrt(vectors.shape[1])), np.float32)


def diversity_figures(judged: Judged, resampling: Resampling) -> dict[str, object]:
    """Compare the spread of one sentence's draws, and the nearness to training, with real pictures.

    Returns:
        ``draws`` and ``real_of_one_species``: mean pairwise distance; ``nearest_training``:
        distance to the nearest training picture, ``generated`` and ``real_test``, or ``real_val``.
        Each in the judge's features and in pixels.
    """
    return {
        "draws": _draws(judged, resampling),
        "real_of_one_species": _real(judged, resampling),
        "nearest_training": _nearest(judged, resampling),
    }


def _draws(judged: Judged, resampling: Resampling) -> dict[str, object]:
    material = judged.material
    rows = material.drawn_rows("draws")
    sentences = material.utterances(rows)
    groups = [rows[sentences == sentence] for sentence in np.unique(sentences)]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return absent("no sentence was drawn more than once")
    vectors = (
        (judged.drawn.features[group], pixel_vectors(material.drawn, group)) for group in groups
    )
    classes = np.array([material.classes[material.utterances(group[:1])[0]] for group in groups])
    what = f"mean distance among {len(groups[0])} draws of a sentence, {len(groups)} sentences"
    return _spread(judged, resampling, vectors, classes, what)


def _real(judged: Judged, resampling: Resampling) -> dict[str, object]:
    material = judged.material
    if not material.corpus.has_classes:
        return absent("the pictures have no classes")
    noun = noun_of(material.corpus)
    rows, name = material.reference()
    classes = material.image_classes[rows]
    order = np.argsort(classes, kind="stable")
    _, starts = np.unique(classes[order], return_index=True)
    groups = [group for group in np.split(rows[order], starts[1:]) if len(group) > 1]
    if not groups:
        return absent(f"no {noun} has two real pictures")
    vectors = (
        (judged.real.take(group).features, pixel_vectors(material.real, group)) for group in groups
    )
    species = np.array([material.image_classes[group[0]] for group in groups])
    what = f"mean distance among {name} of one {noun}, {len(groups)} groups"
    return _spread(judged, resampling, vectors, species, what)


def _spread(
    judged: Judged,
    resampling: Resampling,
    groups: Iterable[tuple[Floats, Floats]],
    classes: Rows,
    what: str,
) -> dict[str, object]:
    spreads = np.array([[mean_pairwise_distance(v) for v in group] for group in groups])
    return {
        name: resampling.mean(values, classes, judged.protocol(what, unit))
        for (name, unit), values in zip(_UNITS.items(), spreads.T, strict=True)
    }


def _nearest(judged: Judged, resampling: Resampling) -> dict[str, object]:
    material = judged.material
    rows = material.drawn_captions
    pictures, first = np.unique(material.pictures(rows), return_index=True)
    rows = rows[first]  # one drawn picture per real test picture
    train = material.training
    real = f"real_{material.drawn_set}"
    gallery = {
        "features": judged.real.take(train).features,
        "pixels": pixel_vectors(material.real, train),
    }
    queries = {
        "generated": {
            "features": judged.drawn.features[rows],
            "pixels": pixel_vectors(material.drawn, rows),
        },
        real: {
            "features": judged.real.take(pictures).features,
            "pixels": pixel_vectors(material.real, pictures),
        },
    }
    classes = material.image_classes[pictures]
    whose = {
        "generated": f"drawn pictures, one per {material.drawn_set} picture",
        real: f"real {material.drawn_set} pictures",
    }
    figures: dict[str, object] = {}
    for name, vectors in queries.items():
        group = {}
        for space, unit in _UNITS.items():
            values = nearest_distances(vectors[space], gallery[space])
            what = f"mean distance to the nearest of {len(train)} training pictures, unflipped"
            group[space] = resampling.mean(
                values, classes, judged.protocol(f"{len(values)} {whose[name]}", what, unit)
            )
        figures[name] = group
    return figures


_UNITS = {
    "features": "Euclidean, judge's features",
    "pixels": "RMS of pixels, white = 1",
}
