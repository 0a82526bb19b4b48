"""Which figures a table shows, and what a row's seeds say about one of them together."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2igan.comparison.outcome import Outcome, pooled
from s2igan.metrics.intervals import bootstrap_sums

RESAMPLES = 2000
RESAMPLING_SEED = 1


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes:
        title: heading of its column.
        path: where :meth:`Outcome.figure` finds it.
        floor: path of the same figure on real pictures, where there is one.
    """

    title: str
    path: str
    floor: str | None = None


TABLE_1 = (
    Column("mAP, paper's protocol", "consistency/paper_protocol/mAP"),
    Column("mAP, all pairs", "consistency/all_pairs/mAP", "controls/real/mAP"),
    Column("R-precision", "r_precision/R-precision", "r_precision/real"),
    Column("FID ↓", "fidelity/generated/FID", "fidelity/floor/FID"),
    Column("KID ↓", "fidelity/generated/KID", "fidelity/floor/KID"),
    Column("IS", "fidelity/generated/IS", "fidelity/floor/IS"),
)
"""The paper's Table 1, with its successors' figures."""

FURTHER = (
    Column("keywords, all", "keywords/generated/all", "keywords/real/all"),
    Column("keywords, colours", "keywords/generated/colours", "keywords/real/colours"),
    Column("swapped word followed", "swap/follows/all"),
    Column("diversity", "diversity/draws/features", "diversity/real_of_one_species/features"),
    Column("R-precision, the critic's", "r_precision_by_critic/R-precision"),
    Column("mAP, another class's speech", "controls/mismatched_speech/mAP"),
    Column("SEN mAP, real pictures", "retrieval/speech_to_image/mAP"),
)
"""What else tells whether pictures obey speech."""


@dataclass(frozen=True)
class Summary:
    """One figure of one row over its seeds.

    Attributes:
        values: by seed.
        interval: 95 % over test classes, of the mean over seeds; None where the figure is not a
            mean over classes.
    """

    values: Mapping[int, float]
    interval: tuple[float, float] | None

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.values.values())

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None of a single one."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Entry:
    """One row of the tables with what came of it.

    Attributes:
        name: of the row.
        title: how the tables call it.
        note: a sentence about it.
        outcomes: by seed.
    """

    name: str
    title: str
    note: str | None
    outcomes: Mapping[int, Outcome]

    @property
    def first(self) -> Outcome:
        """The outcome of its first seed."""
        return next(iter(self.outcomes.values()))

    def summary(self, path: str) -> Summary | None:
        """Return a figure over the seeds; None where no seed has it."""
        taken = {seed: outcome.value(path) for seed, outcome in self.outcomes.items()}
        values = {seed: value for seed, value in taken.items() if value is not None}
        return Summary(values, self._interval(path, list(values))) if values else None

    def _interval(self, path: str, seeds: Sequence[int]) -> tuple[float, float] | None:
        outcomes = [self.outcomes[seed] for seed in seeds]
        classes = class_names(outcomes, path)
        if classes and all(path in outcome.classes for outcome in outcomes):
            sums, counts = pooled(outcomes, path, classes)
            return bootstrap_sums(sums, counts, RESAMPLING_SEED, RESAMPLES)
        figure = outcomes[0].figure(path) or {}
        if len(outcomes) == 1 and "low" in figure:
            return float(figure["low"]), float(figure["high"])
        return None


def class_names(outcomes: Sequence[Outcome], path: str) -> list[str]:
    """Return the classes that a figure has values of in any outcome, sorted."""
    return sorted({name for outcome in outcomes for name in outcome.classes.get(path, {})})


def present(columns: Sequence[Column], entries: Sequence[Entry]) -> list[Column]:
    """Return the columns that at least one row has a figure for."""
    return [c for c in columns if any(entry.summary(c.path) is not None for entry in entries)]
