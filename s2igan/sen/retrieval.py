"""The protocols by which SEN's retrieval is measured (paper §2.4; its authors' published code).

Relevant is what shows or describes the same class; similarity is the cosine. Chance is what the
same similarities score after the descriptions are permuted; an interval is a bootstrap over
classes, since the queries of one class succeed and fail together. Where pictures have no classes,
each is a class of its own: relevant is the very picture, and the bootstrap is over pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from s2igan.metrics.intervals import bootstrap_over_classes
from s2igan.metrics.retrieval import (
    RankedMeasure,
    chance_by_permutation,
    measure_rankings,
    ranked_average_precisions,
    ranked_hits,
    search,
)
from s2igan.sen.batches import Rows
from s2igan.sen.encode import Embeddings

Figure = dict[str, object]

MEAN_AVERAGE_PRECISION: Mapping[str, RankedMeasure] = {"mAP": ranked_average_precisions}
ALL_MEASURES: Mapping[str, RankedMeasure] = {
    **MEAN_AVERAGE_PRECISION,
    "R@1": partial(ranked_hits, k=1),
    "R@5": partial(ranked_hits, k=5),
    "R@10": partial(ranked_hits, k=10),
}


@dataclass(frozen=True)
class Embedded:
    """Embeddings with the class of each.

    Args:
        vectors: (n, E) float32 of unit length.
        classes: (n,) int64.
    """

    vectors: Embeddings
    classes: Rows


def mean_average_precision(queries: Embedded, gallery: Embedded) -> float:
    """Mean over the queries of their average precision, in [0, 1]."""
    order = search(queries.vectors, gallery.vectors)  # (Q, G)
    values = measure_rankings(order, queries.classes, gallery.classes, MEAN_AVERAGE_PRECISION)
    return float(values["mAP"].mean())


@dataclass(frozen=True)
class Judge:
    """Turns rankings into figures with chance, interval and protocol.

    Args:
        seed: of permutations and resamples.
        permutations: of the descriptions, averaged over for chance.
        draws: resamples of the classes behind an interval.
        protocol: sentences that stand beside every figure.
        has_classes: whether the sentences may speak of classes.
    """

    seed: int
    permutations: int
    draws: int
    protocol: tuple[str, ...]
    has_classes: bool = True

    def figures(
        self,
        queries: Embedded,
        gallery: Embedded,
        *,
        descriptions: Literal["queries", "gallery"],
        measures: Mapping[str, RankedMeasure],
        protocol: str,
    ) -> dict[str, Figure]:
        """Measure one direction.

        Args:
            queries: what is asked with.
            gallery: what is searched.
            descriptions: which of the two is speech, and is permuted for chance.
            measures: by name.
            protocol: a sentence about this direction.

        Returns:
            Per measure a figure: value, chance, low, high, protocol.
        """
        order = search(queries.vectors, gallery.vectors)  # (Q, G)
        chances = chance_by_permutation(
            order,
            queries.classes,
            gallery.classes,
            measures,
            permute=descriptions,
            permutations=self.permutations,
            seed=self.seed,
        )
        measured = measure_rankings(order, queries.classes, gallery.classes, measures)
        figures: dict[str, Figure] = {}
        for name, values in measured.items():
            low, high = bootstrap_over_classes(values, queries.classes, self.seed, self.draws)
            figures[name] = {
                "value": float(values.mean()),
                "chance": chances[name],
                "low": low,
                "high": high,
                "protocol": [protocol, *self.protocol],
            }
        return figures


def retrieval_figures(
    speech: Embedded, images: Embedded, authors_queries: Rows, judge: Judge
) -> dict[str, dict[str, Figure]]:
    """Measure retrieval from speech to image, back, and by the authors' protocol.

    Args:
        speech: every caption of the test classes.
        images: every described picture of the test classes, in one view.
        authors_queries: rows of ``speech``, one query per class.
        judge: chance, intervals and protocol.

    Returns:
        ``speech_to_image``, ``image_to_speech`` (mAP, R@1, R@5, R@10 each) and
        ``authors_protocol`` (mAP).
    """
    captions, pictures = f"{len(speech.vectors)} captions", f"{len(images.vectors)} pictures"
    where, each = "split test", "each test picture"
    if judge.has_classes:
        where, each = "test classes", "the first picture of each test class"
    asked = Embedded(speech.vectors[authors_queries], speech.classes[authors_queries])
    return {
        "speech_to_image": judge.figures(
            speech,
            images,
            descriptions="queries",
            measures=ALL_MEASURES,
            protocol=f"each of {captions} of the {where} searches {pictures}",
        ),
        "image_to_speech": judge.figures(
            images,
            speech,
            descriptions="gallery",
            measures=ALL_MEASURES,
            protocol=f"each of {pictures} of the {where} searches {captions}",
        ),
        "authors_protocol": judge.figures(
            asked,
            images,
            descriptions="queries",
            measures=MEAN_AVERAGE_PRECISION,
            protocol=f"{len(authors_queries)} queries, the first caption of {each}, search "
            f"{pictures}",
        ),
    }
