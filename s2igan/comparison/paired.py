"""Differences between two systems on the same test classes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How far a system's pooled mean lies above the reference's.

    Attributes:
        value: system minus reference.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float

    @property
    def distinguishable(self) -> bool:
        """Whether the interval does not hold zero."""
        return not self.low <= 0.0 <= self.high


def pooled_interval(
    sums: Array, counts: Array, seed: int, draws: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of ``sums.sum() / counts.sum()`` over the classes.

    Args:
        sums: ``(C,)``, sum of each class's values.
        counts: ``(C,)``, number of each class's values.
        seed: of the draws.
        draws: number of resamples.
        level: share of the resampled means inside the interval.

    Raises:
        ValueError: if there is no value.
    """
    weights = _weights(len(sums), seed, draws)
    return _ends(_ratio(weights @ sums, weights @ counts), level)


def paired_difference(
    system: tuple[Array, Array],
    reference: tuple[Array, Array],
    seed: int,
    draws: int = 2000,
    level: float = 0.95,
) -> Difference:
    """Bootstrap the difference of two pooled means over the classes that both were measured on.

    Each draw takes as many classes as there are, with replacement, and takes the same ones for both
    systems: what makes a class hard for both cancels. The interval holds the choice of test classes
    alone; how far two trainings of one system lie apart is seen in the spread over seeds.

    Args:
        system: ``(C,)`` sums and ``(C,)`` counts of the values of each class.
        reference: the same of the system compared with, classes in the same order.
        seed: of the draws.
        draws: number of resamples.
        level: share of the resampled differences inside the interval.

    Raises:
        ValueError: if one of them has no value or the classes differ in number.
    """
    (sums, counts), (other_sums, other_counts) = system, reference
    if not len(sums) == len(counts) == len(other_sums) == len(other_counts):
        raise ValueError("sums and counts of the same classes are compared")
    value = _ratio(sums.sum(), counts.sum()) - _ratio(other_sums.sum(), other_counts.sum())
    weights = _weights(len(sums), seed, draws)
    resampled = _ratio(weights @ sums, weights @ counts) - _ratio(
        weights @ other_sums, weights @ other_counts
    )
    return Difference(float(value), *_ends(resampled, level))


def _weights(classes: int, seed: int, draws: int) -> Array:
    if not classes:
        raise ValueError("no class to draw from")
    even = np.full(classes, 1 / classes)
    # (draws, C): how often each class was drawn
    return np.random.default_rng(seed).multinomial(classes, even, draws).astype(np.float64)


def _ratio(sums: Array | np.float64, counts: Array | np.float64) -> Array:
    # A draw may hit classes without values alone; it says nothing and is left out of the quantiles.
    sums, counts = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _ends(resampled: Array, level: float) -> tuple[float, float]:
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        raise ValueError("no values to draw from")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
