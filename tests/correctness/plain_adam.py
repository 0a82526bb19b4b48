"""Adam (Kingma and Ba 2015) once more, in float64, and what an optimiser of torch was given."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-8


def moved(
    weight: Tensor,
    gradients: Sequence[Tensor],
    rates: Sequence[float],
    betas: Sequence[float],
    penalty: float = 0.0,
) -> Tensor:
    """Return ``weight`` after one update by each gradient, the L2 penalty a part of it."""
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for number, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        given = gradient + penalty * weight
        first = betas[0] * first + (1 - betas[0]) * given
        second = betas[1] * second + (1 - betas[1]) * given.square()
        mean, spread = first / (1 - betas[0] ** number), second / (1 - betas[1] ** number)
        weight = weight - rate * mean / (spread.sqrt() + EPSILON)
    return weight


def watch_gradients(optimiser: torch.optim.Optimizer) -> dict[Tensor, list[Tensor]]:
    """Return what will hold, by parameter, the gradient of every update to come, in float64."""
    seen: dict[Tensor, list[Tensor]] = {}

    def note(watched: torch.optim.Optimizer, *_: Any) -> None:
        for group in watched.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    seen.setdefault(parameter, []).append(parameter.grad.double())

    optimiser.register_step_pre_hook(note)
    return seen
