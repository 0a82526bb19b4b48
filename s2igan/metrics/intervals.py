"""Means over test classes and their confidence intervals."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]

LEVEL = 0.95
"""Share of the resampled means inside an interval."""

_COUNTS_PER_BLOCK = 2**22  # of classes, times draws


class ClassSums(NamedTuple):
    """Values summed class by class.

    Attributes:
        classes: ``(C,)`` int64, rising.
        sums: ``(C,)`` float64.
        counts: ``(C,)`` int64, how many values were summed.
    """

    classes: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    @property
    def mean(self) -> float:
        """The mean of all values."""
        return float(self.sums.sum() / self.counts.sum())


def sum_by_class(
    values: npt.NDArray[np.floating[Any]], classes: npt.NDArray[np.integer[Any]]
) -> ClassSums:
    """Sum ``(Q,)`` values of ``(Q,)`` classes.

    Raises:
        ValueError: if there is no value.
    """
    if not len(values):
        raise ValueError("no values to sum")
    members, inverse = np.unique(classes, return_inverse=True)
    return ClassSums(
        members.astype(np.int64),
        np.asarray(np.bincount(inverse, weights=np.asarray(values, np.float64)), np.float64),
        np.asarray(np.bincount(inverse), np.int64),
    )


def bootstrap_over_classes(
    values: npt.NDArray[np.floating[Any]],
    classes: npt.NDArray[np.integer[Any]],
    seed: int,
    draws: int = 1000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of ``values.mean()`` when whole classes are drawn anew.

    Pictures of one species resemble each other, so classes and not values are the independent
    units: each draw takes as many classes as there are, with replacement, and all their values.

    Args:
        values: ``(Q,)``.
        classes: ``(Q,)``, class of each value.
        seed: of the draws.
        draws: number of resamples.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: if there is no value.
    """
    totals = sum_by_class(values, classes)
    return bootstrap_sums(totals.sums, totals.counts, seed, draws)


def bootstrap_sums(
    sums: Numbers, counts: Numbers, seed: int, draws: int = 1000
) -> tuple[float, float]:
    """As :func:`bootstrap_over_classes`, of ``(C,)`` sums and counts of each class's values."""
    return percentile_interval(resampled_means(sums, counts, seed, draws))


def resampled_means(
    sums: Numbers, counts: Numbers, seed: int, draws: int
) -> npt.NDArray[np.float64]:
    """Draw whole classes anew and take the mean of their values, ``(draws,)``.

    The same seed draws the same classes whatever their values, so that two systems can be compared
    draw by draw. A draw that hits classes without values alone is NaN.

    Args:
        sums: ``(C,)``, sum of each class's values.
        counts: ``(C,)``, number of each class's values.
        seed: of the draws.
        draws: number of resamples.

    Raises:
        ValueError: if there is no class.
    """
    number = len(sums)
    if not number:
        raise ValueError("no values to draw from")
    rng, means = np.random.default_rng(seed), np.full(draws, np.nan)
    step = max(1, _COUNTS_PER_BLOCK // number)
    for start in range(0, draws, step):
        part = means[start : start + step]
        drawn = rng.multinomial(number, np.full(number, 1 / number), len(part))  # (part, C)
        found = drawn @ counts
        np.divide(np.asarray(drawn @ sums, np.float64), found, out=part, where=found > 0)
    return means


def percentile_interval(resampled: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the middle :data:`LEVEL` of resampled figures, NaN left out.

    Raises:
        ValueError: if there is none.
    """
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        raise ValueError("no values to draw from")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
