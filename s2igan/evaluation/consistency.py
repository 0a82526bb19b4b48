"""GAN mAP (paper §2.4): do real pictures of a species find the pictures drawn of it?

Where pictures have no classes, a real picture searches the pictures drawn of itself.
"""

import numpy as np
import numpy.typing as npt

from s2igan.evaluation.figures import Figure, Resampling, absent, figure
from s2igan.evaluation.judge import Rows
from s2igan.evaluation.material import Judged
from s2igan.evaluation.wording import noun_of
from s2igan.metrics.retrieval import (
    chance_by_permutation,
    rank,
    ranked_average_precisions,
)

Floats = npt.NDArray[np.float32]
Order = npt.NDArray[np.int32]


def search(queries: Floats, gallery: Floats) -> Order:
    """Order the gallery of each query by falling cosine, ``(Q, G)`` int32."""
    return rank(unit(queries) @ unit(gallery).T)


def search_others(pictures: Floats) -> Order:
    """Order, for each of n pictures, the n - 1 others by falling cosine, ``(n, n - 1)`` int32."""
    similarity = unit(pictures) @ unit(pictures).T
    np.fill_diagonal(similarity, -np.inf)  # each picture comes last in its own ranking
    return rank(similarity)[:, :-1]


def retrieval_figure(
    order: Order,
    query_classes: Rows,
    gallery_classes: Rows,
    resampling: Resampling,
    protocol: list[str],
    *,
    noun: str = "species",
) -> Figure:
    """Take the mAP of a search; queries with no picture of their species to find are left out.

    Args:
        order: ``(Q, G)``, from :func:`search` or :func:`search_others`.
        query_classes: ``(Q,)``.
        gallery_classes: of the pictures that ``order`` numbers; permuting them gives chance.
        resampling: chance and interval.
        protocol: of the figure.
        noun: what classes are called.
    """
    relevant = gallery_classes[order] == query_classes[:, None]  # (Q, G)
    answerable = relevant.any(axis=1)
    if not answerable.any():
        return absent(f"nothing to find is of the same {noun} as a query")
    order, classes = order[answerable], query_classes[answerable]
    values = ranked_average_precisions(relevant[answerable])
    chance = chance_by_permutation(
        order,
        classes,
        gallery_classes,
        {"mAP": ranked_average_precisions},
        permute="gallery",
        permutations=resampling.permutations,
        seed=resampling.seed,
    )
    return figure(
        values.mean(),
        [
            *protocol,
            f"{len(classes)} queries, {order.shape[1]} pictures each; cosine; same {noun} is "
            "relevant",
            f"chance: descriptions permuted over the pictures, mean of {resampling.permutations}",
        ],
        chance=chance["mAP"],
        interval=resampling.interval(values, classes),
    )


def consistency_figures(
    judged: Judged, resampling: Resampling, queries_per_class: int
) -> dict[str, object]:
    """Take GAN mAP over all test pairs and by the paper's protocol of few queries.

    Args:
        judged: the pictures and what the judge saw.
        resampling: chance, intervals, and the draw of the queries.
        queries_per_class: of the paper's protocol (paper 2).

    Returns:
        ``all_pairs`` and ``paper_protocol``, each with mAP; without classes the first alone.
    """
    material = judged.material
    noun = noun_of(material.corpus)
    drawn = material.drawn_rows("test")
    pictures = material.described[material.targets(drawn)]
    real = np.unique(pictures)
    few = draw_queries(real, material.image_classes[real], queries_per_class, resampling.seed)
    figures: dict[str, object] = {}
    for name, queries, rows, what in (
        ("all_pairs", real, drawn, "all real test pictures search all pictures drawn of them"),
        (
            "paper_protocol",
            few,
            drawn[np.isin(pictures, few)],
            f"{queries_per_class} real test pictures per {noun}, drawn by seed, search the "
            "pictures drawn of exactly those (paper §2.4)",
        ),
    ):
        mAP = retrieval_figure(
            search(judged.real.features[queries], judged.drawn.features[rows]),
            material.image_classes[queries],
            material.classes[material.targets(rows)],
            resampling,
            judged.protocol(what),
            noun=noun,
        )
        figures[name] = {"mAP": mAP}
    if not material.corpus.has_classes:
        figures["paper_protocol"] = absent(
            "without classes every picture is a query, see all_pairs"
        )
    return figures


def draw_queries(pictures: Rows, classes: Rows, count: int, seed: int) -> Rows:
    """Draw ``count`` pictures of every class, or all where there are fewer.

    Args:
        pictures: ``(n,)``, rows of the index.
        classes: ``(n,)``.
        count: pictures per class.
        seed: of the draw.

    Returns:
        The drawn ones, sorted.
    """
    mixed = np.random.default_rng(seed).permutation(len(pictures))
    chosen = [mixed[classes[mixed] == number][:count] for number in np.unique(classes)]
    return np.sort(pictures[np.concatenate(chosen)])


def unit(features: Floats) -> Floats:
    """Scale rows to unit length; rows of zeros stay."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
