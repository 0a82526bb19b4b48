"""Adam on the device that it computes on, wherever a checkpoint of it was written."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn


class Adam(torch.optim.Adam):
    """torch's fused Adam, which may stand in a CUDA graph.

    Args:
        parameters: on ``device``.
        lr: rate.
        betas: decay rates of the two moments.
        weight_decay: added to the gradient, times the weight.
        device: where to compute.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        betas: Sequence[float],
        weight_decay: float = 0.0,
        device: torch.device,
    ) -> None:
        # On a GPU updates are counted there, since a graph cannot count on the host.
        self._on_gpu = device.type == "cuda"
        super().__init__(
            parameters,
            lr=lr,
            betas=(betas[0], betas[1]),
            weight_decay=weight_decay,
            fused=True,
            capturable=self._on_gpu,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, which may come from another kind of device.

        Rates become plain numbers: a captured training's are tensors, which come back on the CPU,
        where a graph would read them once and never again.
        """
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["capturable"], group["lr"] = self._on_gpu, float(group["lr"])
