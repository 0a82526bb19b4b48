"""Keyword accuracy: of the attributes a caption mentions, how many does the picture show?

The judge reads the picture; the truth is the drawing that the caption describes. No model reads
the caption: which attributes it mentions, and their values, are columns of the index.
"""

from dataclasses import dataclass

import numpy as np

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS
from s2igan.evaluation.figures import Figure, Resampling, absent
from s2igan.evaluation.judge import Rows
from s2igan.evaluation.material import Attributes, Booleans, Judged, Values

GROUPS: dict[str, tuple[str, ...]] = {
    "all": ATTRIBUTES,
    "colours": COLOUR_PARTS,
    **{name: (name,) for name in ATTRIBUTES},
}
"""Attributes whose mentions each figure counts together."""


@dataclass(frozen=True)
class Reading:
    """Pictures read against captions, row by row.

    Args:
        seen: ``(n, 8)``, values that the judge reads.
        truth: ``(n, 8)``, values of the drawings that the captions describe.
        mentions: ``(n, 8)``, whether the caption mentions the attribute.
        classes: ``(n,)``, species of the captions.
    """

    seen: Values
    truth: Values
    mentions: Booleans
    classes: Rows

    def figure(self, group: str, resampling: Resampling, protocol: list[str]) -> Figure:
        """Take the share of mentioned attributes of ``group``, in :data:`GROUPS`, that are seen."""
        columns = _columns(group)
        told = self.mentions[:, columns]  # (n, attributes)
        if not told.any():
            return absent("no caption mentions it")
        hits = (self.seen == self.truth)[:, columns][told]  # one entry per mention
        classes = np.repeat(self.classes, told.sum(axis=1))
        return resampling.mean(
            hits,
            classes,
            [f"{len(hits)} mentions", *protocol],
            chance=self._chance(columns, resampling),
        )

    def _chance(self, columns: list[int], resampling: Resampling) -> float:
        rng = np.random.default_rng(resampling.seed)
        shares = []
        for _ in range(resampling.permutations):
            dealt = rng.permutation(len(self.seen))
            told = self.mentions[dealt][:, columns]
            shares.append((self.seen == self.truth[dealt])[:, columns][told].mean())
        return float(np.mean(shares))


def read(judged: Judged, attributes: Attributes, seen: Values, rows: Rows) -> Reading:
    """Read any pictures, ``seen`` ``(n, 8)``, against the captions of drawn pictures ``rows``."""
    material = judged.material
    targets = material.targets(rows)
    pictures = material.described[targets]
    return Reading(
        seen, attributes.truth[pictures], attributes.mentions[targets], material.classes[targets]
    )


def keyword_figures(
    judged: Judged, attributes: Attributes, resampling: Resampling
) -> dict[str, object]:
    """Take keyword accuracy of drawn and real pictures, whole, over the colours and per attribute.

    Args:
        judged: the pictures and what the judge saw.
        attributes: truths and mentions.
        resampling: chance and intervals.

    Returns:
        Groups ``generated`` and ``real``, each with the figures of :data:`GROUPS`.
    """
    rows = judged.material.drawn_captions
    pictures = judged.material.pictures(rows)
    generated = read(judged, attributes, judged.drawn.take(rows).readings(), rows)
    real = read(judged, attributes, judged.real.take(pictures).readings(), rows)
    whom = judged.material.drawn_set
    what = f"share of the attributes mentioned by the {whom} captions that the judge sees in the"
    common = (
        f"{len(rows)} captions",
        f"chance: captions permuted over the pictures, mean of {resampling.permutations}",
    )
    return {
        name: {
            group: reading.figure(group, resampling, judged.protocol(f"{what} {whose}", *common))
            for group in GROUPS
        }
        for name, reading, whose in (
            ("generated", generated, "generated picture"),
            ("real", real, "real drawing that the caption describes"),
        )
    }


def _columns(group: str) -> list[int]:
    return [ATTRIBUTES.index(name) for name in GROUPS[group]]
