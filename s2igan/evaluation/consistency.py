"""GAN mAP (paper §2.4): do real pictures of a species find the pictures drawn of it?

Where pictures have no classes, a real picture searches the pictures drawn of itself.
"""

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from s2igan.errors import UserError
from s2igan.evaluation.authors_queries import authors_queries
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.figures import Figure, Resampling, absent
from s2igan.evaluation.judge import Rows
from s2igan.evaluation.material import Judged, Material
from s2igan.evaluation.wording import noun_of
from s2igan.metrics.retrieval import (
    RankedMeasure,
    Rankings,
    chance_by_permutation,
    measure_rankings,
    ranked_average_precisions,
    ranked_precisions,
    search,
)

Order = Rankings | npt.NDArray[np.int32]

AUTHORS_CUTOFFS = (1, 2, 3, 5, 10)
"""The k of the authors' "R@k"."""


def retrieval_figures(
    order: Order,
    query_classes: Rows,
    gallery_classes: Rows,
    resampling: Resampling,
    protocol: list[str],
    *,
    noun: str = "species",
    cutoffs: tuple[int, ...] = (),
    each_other: bool = False,
    noises: Rows | None = None,
) -> dict[str, Figure]:
    """Take mAP and precision@k of a search.

    Queries with no picture of their species to find are left out.

    Args:
        order: ``(Q, G)``, from ``search`` or ``search_others``.
        query_classes: ``(Q,)``.
        gallery_classes: of the pictures that ``order`` numbers; permuting them gives chance.
        resampling: chance and intervals.
        protocol: of the figures.
        noun: what classes are called.
        cutoffs: the k, as far as there are so many pictures.
        each_other: whether the queries are the pictures, as in ``search_others``.
        noises: ``(G,)``, pictures of one number are of one real picture and one noise, so that
            they are alike whatever was said; chance keeps them together. None = each has its own.
    """
    shown, counts = np.unique(gallery_classes, return_counts=True)
    answerable = np.flatnonzero(np.isin(query_classes, shown[counts > each_other]))
    if not len(answerable):
        return {"mAP": absent(f"nothing to find is of the same {noun} as a query")}
    classes = query_classes[answerable]
    precisions = {
        f"precision@{k}": partial(ranked_precisions, k=k) for k in cutoffs if k <= order.shape[1]
    }
    measures: dict[str, RankedMeasure] = {"mAP": ranked_average_precisions, **precisions}
    values = measure_rankings(order, query_classes, gallery_classes, measures, asked=answerable)
    chance = chance_by_permutation(
        order,
        query_classes,
        gallery_classes,
        measures,
        permute="both" if each_other else "gallery",
        permutations=resampling.permutations,
        seed=resampling.seed,
        groups=noises,
        asked=None if each_other else answerable,
    )
    shared = noises is not None and len(np.unique(noises)) < len(noises)
    together = ", together where these share one noise" if shared else ""
    common = [
        *protocol,
        f"{len(classes)} queries, {order.shape[1]} pictures each; cosine; same {noun} is relevant",
        f"chance: descriptions permuted over the pictures{together}, mean of "
        f"{resampling.permutations}",
    ]
    share = 'share of relevant pictures among the first k; the authors print it as "R@k"'
    return {
        name: resampling.mean(
            values[name],
            classes,
            [share, *common] if name in precisions else common,
            chance=chance[name],
        )
        for name in measures
    }


def consistency_figures(
    judged: Judged, resampling: Resampling, config: EvaluateConfig
) -> dict[str, object]:
    """Take GAN mAP over all pairs, and as in the paper: few queries, and precision@k beside it.

    Args:
        judged: the pictures and what the judge saw.
        resampling: chance and intervals.
        config: whose the queries are, how many per class, and the seed that draws them.

    Returns:
        ``all_pairs`` and ``paper_protocol``; without classes the first alone.
    """
    material = judged.material
    rows, name = material.drawn_captions, material.drawn_set
    real = np.unique(material.pictures(rows))
    all_pairs = f"all real {name} pictures search all pictures drawn of them"
    figures: dict[str, object] = {
        "all_pairs": _search_figures(judged, resampling, real, rows, all_pairs)
    }
    if not material.corpus.has_classes:
        reason = "without classes every picture is a query, see all_pairs"
    elif config.queries == "authors" and name != "test":
        reason = f"the authors' query pictures are of test classes, the samples of {name} classes"
    else:
        queries, whose = _paper_queries(material, real, config)
        mine = rows[np.isin(material.pictures(rows), queries)]
        what = f"{whose}, search the pictures drawn of exactly those (paper §2.4)"
        figures["paper_protocol"] = _search_figures(
            judged, resampling, queries, mine, what, AUTHORS_CUTOFFS
        )
        return figures
    figures["paper_protocol"] = absent(reason)
    return figures


def _search_figures(
    judged: Judged,
    resampling: Resampling,
    queries: Rows,
    rows: Rows,
    what: str,
    cutoffs: tuple[int, ...] = (),
) -> dict[str, Figure]:
    material = judged.material
    return retrieval_figures(
        search(judged.real.take(queries).features, judged.drawn.features[rows]),
        material.image_classes[queries],
        material.classes[material.targets(rows)],
        resampling,
        judged.protocol(what),
        noun=noun_of(material.corpus),
        cutoffs=cutoffs,
        noises=material.noises(rows),
    )


def _paper_queries(material: Material, real: Rows, config: EvaluateConfig) -> tuple[Rows, str]:
    """Choose the real query pictures among ``real``, and say whose choice it is."""
    if config.queries == "authors":
        queries, whose = authors_queries(material.corpus)
        if len(missing := np.setdiff1d(queries, real)):
            raise UserError(
                "evaluate.queries",
                got=f"{len(missing)} of the authors' pictures of which nothing was drawn",
                expected="a drawn picture of each",
            )
        return queries, whose
    count, noun = config.queries_per_class, noun_of(material.corpus)
    queries = draw_queries(real, material.image_classes[real], count, config.seed)
    return queries, f"{count} real {material.drawn_set} pictures per {noun}, drawn by seed"


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
    before = pd.Series(mixed).groupby(classes[mixed]).cumcount()  # of the same class
    return np.sort(pictures[mixed[before.to_numpy() < count]])
