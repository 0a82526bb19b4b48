"""Means over test classes and their confidence intervals."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


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
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of ``values.mean()`` when whole classes are drawn anew.

    Pictures of one species resemble each other, so classes and not values are the independent
    units: each draw takes as many classes as there are, with replacement, and all their values.

    Args:
        values: ``(Q,)``.
        classes: ``(Q,)``, class of each value.
        seed: of the draws.
        draws: number of resamples.
        level: share of the resampled means inside the interval.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: if there is no value.
    """
    return bootstrap_sums(sum_by_class(values, classes), seed, draws, level)


def bootstrap_sums(
    totals: ClassSums, seed: int, draws: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """As :func:`bootstrap_over_classes`, of values that are summed by class already."""
    number = len(totals.classes)
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), draws)
    means = (drawn @ totals.sums) / (drawn @ totals.counts)  # (draws,)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
