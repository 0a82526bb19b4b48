"""Confidence intervals of means over test classes."""

from typing import Any

import numpy as np
import numpy.typing as npt


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
    if not len(values):
        raise ValueError("no values to draw from")
    members, inverse = np.unique(classes, return_inverse=True)
    totals = np.bincount(inverse, weights=np.asarray(values, np.float64))  # (C,)
    counts = np.bincount(inverse)
    number = len(members)
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), draws)
    means = (drawn @ totals) / (drawn @ counts)  # (draws,)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
