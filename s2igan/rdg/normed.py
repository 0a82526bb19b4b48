"""Batch norm together with what follows it: on a GPU in one go, elsewhere one after the other."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine import kernels
from s2igan.engine.sync_norm import SyncBatchNorm2d

SLOPE = 0.2  # of the leaky rectifiers of the discriminators


def glu(x: Tensor) -> Tensor:
    """Gated linear unit over the channels: ``(N, 2C, ...)`` → ``(N, C, ...)``.

    Written out because :func:`torch.nn.functional.glu` is several times slower on channels_last
    maps; the copy of the gate lets the sigmoid run over dense memory, another factor of two.
    """
    value, gate = x.chunk(2, dim=1)
    return value * torch.sigmoid(gate.clone())


def norm_alone(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise ``(N, C, H, W)``."""
    if _fusible(norm, x):
        from s2igan.rdg.norm_kernels import NOTHING, normed

        return normed(norm, x, NOTHING)
    normal: Tensor = norm(x)
    return normal


def norm_glu(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise ``(N, 2C, H, W)``, then a gated linear unit: ``(N, C, H, W)``."""
    if _fusible(norm, x):
        from s2igan.rdg.norm_kernels import GLU, normed

        return normed(norm, x, GLU)
    return glu(norm(x))


class LeakyBatchNorm2d(SyncBatchNorm2d):
    """Batch norm and a leaky rectifier behind it."""

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` → the same shape."""
        if _fusible(self, x):
            from s2igan.rdg.norm_kernels import LEAKY, normed

            return normed(self, x, LEAKY, SLOPE)
        return F.leaky_relu(super().forward(x), SLOPE)


def _fusible(norm: nn.BatchNorm2d, x: Tensor) -> bool:
    # In training, but for a calibration, whose running statistics are plain means.
    return norm.training and norm.momentum is not None and kernels.usable(x)
