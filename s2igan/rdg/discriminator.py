"""The discriminators D_i (paper §2.3.3): one per scale, conditional and unconditional.

The topology is StackGAN-v2's, as in the authors' code, for any base size: 4×4 convolutions of
stride 2 down to a 4×4 map, each doubling the channels; the larger scales bring the width of that
map back to the first scale's with 3×3 convolutions. Outputs are logits (the authors' code ends in a
sigmoid and takes ``BCELoss``, which stops with a device assert once a value is NaN).
"""

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.rdg.layers import ConditionedConv, initialise
from s2igan.rdg.normed import SLOPE, LeakyBatchNorm2d

LAST_SIDE = 4  # side of the trunk's last map, px


class Verdict(NamedTuple):
    """Logits of being real, ``(N,)`` float32: with and without the condition."""

    conditional: Tensor
    unconditional: Tensor


def _down(in_channels: int, out_channels: int, norm: bool = True) -> nn.Sequential:
    follows: nn.Module = LeakyBatchNorm2d(out_channels) if norm else nn.LeakyReLU(SLOPE)
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 4, 2, 1, bias=False), follows)


def _same(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
        LeakyBatchNorm2d(out_channels),
    )


def _logits(layer: nn.Linear, maps: Tensor) -> Tensor:
    with torch.autocast(maps.device.type, enabled=False):
        logits: Tensor = layer(full_precision(maps.flatten(1)))  # (N, width, 4, 4) → (N, 1)
    return logits.squeeze(1)


class Discriminator(nn.Module):
    """D_i for pictures of ``size`` px.

    Args:
        size: side of the pictures, px, a power of two, at least ``base_size``.
        base_size: side of the first scale's pictures, which sets the width of the last map.
        df: channels after the first convolution.
        widest: most channels of any map; None leaves them as the paper's code has them.
        condition_dim: dimension of the condition.
    """

    def __init__(
        self, *, size: int, base_size: int, df: int, condition_dim: int, widest: int | None = None
    ) -> None:
        super().__init__()
        downs = int(math.log2(size // LAST_SIDE))
        widths = [min(df * 2**i, widest or df * 2**i) for i in range(downs)]
        width = widths[int(math.log2(base_size // LAST_SIDE)) - 1]
        trunk = [_down(3, df, norm=False)]
        trunk += [_down(narrow, wide) for narrow, wide in itertools.pairwise(widths)]
        channels = widths[-1]
        while channels > width:
            narrower = max(channels // 2, width)
            trunk.append(_same(channels, narrower))
            channels = narrower
        self.trunk = nn.Sequential(*trunk)
        self.joint = ConditionedConv(condition_dim, width, width)
        self.joint_norm = LeakyBatchNorm2d(width)
        # A 4×4 convolution of a 4×4 map is a linear layer, and faster as one, in float32.
        self.conditional = nn.Linear(width * LAST_SIDE**2, 1)
        self.unconditional = nn.Linear(width * LAST_SIDE**2, 1)
        initialise(self)

    def features(self, images: Tensor) -> Tensor:
        """``(N, 3, size, size)`` in [-1, 1] → ``(N, width, 4, 4)``."""
        out: Tensor = self.trunk(images)
        return out

    def conditional_logits(self, features: Tensor, condition: Tensor) -> Tensor:
        """``(N, width, 4, 4)`` features beside ``(N, condition_dim)`` → ``(N,)`` float32."""
        return _logits(self.conditional, self.joint_norm(self.joint(features, condition)))

    def verdict(self, features: Tensor, condition: Tensor) -> Verdict:
        """Both logits of pictures whose :meth:`features` are known."""
        return Verdict(
            self.conditional_logits(features, condition), _logits(self.unconditional, features)
        )

    def forward(self, images: Tensor, condition: Tensor) -> Verdict:
        """Both logits of ``(N, 3, size, size)`` pictures under ``(N, condition_dim)``."""
        return self.verdict(self.features(images), condition)
