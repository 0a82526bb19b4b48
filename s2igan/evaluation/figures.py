"""Figures: a value with what chance gives, its interval and the protocol it was taken by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s2igan.evaluation.config import EvaluateConfig
from s2igan.metrics.intervals import bootstrap_over_classes

Figure = dict[str, object]
Figures = Mapping[str, object]
"""Nested groups whose leaves are figures, or ``{"absent": [reason]}``."""

LEVEL = 0.95


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


def flatten(figures: Figures) -> dict[str, float]:
    """Return every value under its path, such as ``fidelity/generated/FID``."""
    flat: dict[str, float] = {}
    for name, item in figures.items():
        if isinstance(item, Mapping):
            value = item.get("value")
            if isinstance(value, float):
                flat[name] = value
            flat |= {f"{name}/{path}": leaf for path, leaf in flatten(item).items()}
    return flat


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

    def interval(
        self, values: npt.NDArray[Any], classes: npt.NDArray[np.integer[Any]]
    ) -> tuple[float, float]:
        """Return the 95 % interval of the mean of ``values`` ``(n,)`` over ``classes`` ``(n,)``."""
        return bootstrap_over_classes(
            np.asarray(values, np.float64), classes, self.seed, self.draws, LEVEL
        )
