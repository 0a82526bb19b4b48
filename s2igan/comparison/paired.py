"""Differences between two systems on the same test classes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2igan.metrics.intervals import percentile_interval, resampled_means

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


def paired_difference(
    system: tuple[Array, Array],
    reference: tuple[Array, Array],
    seed: int,
    draws: int = 2000,
) -> Difference:
    """Bootstrap the difference of two pooled means over the classes that both were measured on.

    Each draw takes as many classes as those are, with replacement, and takes the same ones for both
    systems: what makes a class hard for both cancels. The interval holds the choice of test classes
    alone; how far two trainings of one system lie apart is seen in the spread over seeds.

    Args:
        system: ``(C,)`` sums and ``(C,)`` counts of the values of each class.
        reference: the same of the system compared with, classes in the same order.
        seed: of the draws.
        draws: number of resamples.

    Raises:
        ValueError: if no class has values of both.
    """
    (sums, counts), (other_sums, other_counts) = system, reference
    both = (counts > 0) & (other_counts > 0)
    sums, counts, other_sums, other_counts = (
        part[both] for part in (sums, counts, other_sums, other_counts)
    )
    ours = resampled_means(sums, counts, seed, draws)
    theirs = resampled_means(other_sums, other_counts, seed, draws)  # the same classes
    low, high = percentile_interval(ours - theirs)
    value = sums.sum() / counts.sum() - other_sums.sum() / other_counts.sum()
    return Difference(float(value), low, high)
