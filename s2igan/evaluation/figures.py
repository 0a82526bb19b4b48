"""Figures: a value with what chance gives, its interval and the protocol it was taken by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s2igan.evaluation.config import EvaluateConfig
from s2igan.metrics.intervals import ClassSums, bootstrap_sums, sum_by_class

Figure = dict[str, object]
Figures = Mapping[str, object]
"""Nested groups whose leaves are figures, or ``{"absent": [reason]}``."""


class MeanFigure(dict[str, object]):
    """A figure that is the mean of values which belong to classes.

    The sums behind it go with it in memory and are no part of its JSON.

    Args:
        parts: the figure.
        sums: of the values, class by class.
    """

    def __init__(self, parts: Figure, sums: ClassSums) -> None:
        super().__init__(parts)
        self.sums = sums


def figure(
    value: float,
    protocol: Sequence[str],
    *,
    chance: float | None = None,
    interval: tuple[float, float] | None = None,
) -> Figure:
    """Put a figure together.

    Args:
        value: the figure itself.
        protocol: sentences that say how it was taken.
        chance: the same figure without any knowledge of the speech.
        interval: lower and upper end at 95 %.
    """
    parts: Figure = {"value": float(value)}
    if chance is not None:
        parts["chance"] = float(chance)
    if interval is not None:
        parts["low"], parts["high"] = (float(end) for end in interval)
    return {**parts, "protocol": list(protocol)}


def absent(reason: str) -> Figure:
    """Stand where a figure or a group of figures cannot be taken, and say why."""
    return {"absent": [reason]}


def means(figures: Figures, prefix: str = "") -> Iterator[tuple[str, MeanFigure]]:
    """Yield every mean over values of classes with its path, such as ``swap/follows/all``."""
    for name, item in figures.items():
        if isinstance(item, MeanFigure):
            yield f"{prefix}{name}", item
        elif isinstance(item, Mapping):
            yield from means(item, f"{prefix}{name}/")


@dataclass(frozen=True)
class Resampling:
    """How chance and intervals are drawn.

    Args:
        seed: of every draw.
        permutations: permutations of the descriptions that chance is averaged over.
        draws: bootstrap samples of the classes behind an interval.
    """

    seed: int
    permutations: int
    draws: int

    @classmethod
    def of(cls, config: EvaluateConfig) -> "Resampling":
        """Take the settings of the section ``evaluate``."""
        return cls(config.seed, config.chance_permutations, config.bootstrap_draws)

    def mean(
        self,
        values: npt.NDArray[Any],
        classes: npt.NDArray[np.integer[Any]],
        protocol: Sequence[str],
        *,
        chance: float | None = None,
    ) -> MeanFigure:
        """Take the mean of values with its 95 % interval over their classes.

        Args:
            values: ``(n,)``, not empty.
            classes: ``(n,)``.
            protocol: sentences that say how they were taken.
            chance: what the mean would be without any knowledge of the speech.
        """
        sums = sum_by_class(values, classes)
        interval = bootstrap_sums(sums.sums, sums.counts, self.seed, self.draws)
        return MeanFigure(figure(sums.mean, protocol, chance=chance, interval=interval), sums)
