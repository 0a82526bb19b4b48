"""Exponential moving average of a module's parameters."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Ema:
    """A frozen copy of a module whose parameters follow at a distance.

    Args:
        module: the module that trains.
        decay: share of the average kept at every update, in [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the averaged parameters towards ``module``'s; its buffers are copied."""
        parameters = zip(self.module.parameters(), module.parameters(), strict=True)
        averages, values = map(list, zip(*parameters, strict=True))
        torch._foreach_lerp_(averages, values, 1 - self.decay)
        for copied, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            copied.copy_(buffer)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged module's state."""
        return self.module.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.module.load_state_dict(state)
