"""Blocks that the generator and the discriminators share (paper §2.3.1, after StackGAN-v2).

Images and feature maps are NCHW; the trainer keeps them in channels_last memory.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.sync_norm import SyncBatchNorm2d
from s2igan.rdg.normed import norm_alone, norm_glu

SPREAD_FROM = 8  # shortest side of the maps whose upsampling is folded into a convolution, px
SPREAD_FROM_ON_GPU = 64  # the same where a transposed convolution is slower than a plain one


class ConvGlu(nn.Module):
    """3×3 convolution to ``2 * out_channels``, batch norm, GLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 2 * out_channels, 3, padding=1, bias=False)
        self.norm = SyncBatchNorm2d(2 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` → ``(N, out, H, W)``."""
        return norm_glu(self.norm, self.conv(x))


class UpBlock(nn.Module):
    """Nearest-neighbour upsampling by two, then :class:`ConvGlu`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = ConvGlu(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` → ``(N, out, 2H, 2W)``."""
        return norm_glu(self.block.norm, upsampled_conv(x, self.block.conv.weight))


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Nearest-neighbour upsampling, ``(N, C, H, W)`` → ``(N, C, factor * H, factor * W)``.

    Autocast would make float32 maps of it, which a GPU feels.
    """
    aside = torch.autocast("cuda", enabled=False) if x.is_cuda else nullcontext()
    with aside:
        return F.interpolate(x, scale_factor=float(factor), mode="nearest")


def upsampled_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve the map that nearest-neighbour upsampling by two makes of ``x``.

    The same numbers as ``conv2d(interpolate(x, scale_factor=2), weight, padding=1)``: of the nine
    taps that an output pixel sees, those on one input pixel are added up beforehand, which leaves
    four of nine products. On small maps adding them up costs more than it saves.

    Args:
        x: ``(N, in, H, W)``.
        weight: ``(out, in, 3, 3)``.

    Returns:
        ``(N, out, 2H, 2W)``.
    """
    if x.shape[-1] < (SPREAD_FROM_ON_GPU if x.is_cuda else SPREAD_FROM):
        return F.conv2d(enlarged(x, 2), weight, padding=1)
    mirrored = F.pad(weight.flip(2, 3), (1, 1, 1, 1))
    spread = F.avg_pool2d(mirrored, 2, stride=1, divisor_override=1)  # (out, in, 4, 4)
    return F.conv_transpose2d(x, spread.transpose(0, 1), stride=2, padding=1)


class ResidualBlock(nn.Module):
    """:class:`ConvGlu`, a second 3×3 convolution with batch norm, and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvGlu(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = SyncBatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` → ``(N, C, H, W)``."""
        out: Tensor = x + norm_alone(self.norm, self.conv(self.block(x)))
        return out


class ConditionedConv(nn.Conv2d):
    """3×3 convolution of a feature map beside a condition tiled over it, bias-free.

    The same numbers as a convolution of ``cat(tiled condition, map)`` for a fraction of the work:
    on a constant map each of the nine taps adds one vector wherever it does not fall on the
    padding.
    """

    def __init__(self, condition_dim: int, in_channels: int, out_channels: int) -> None:
        super().__init__(condition_dim + in_channels, out_channels, 3, padding=1, bias=False)
        self.condition_dim = condition_dim

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """``(N, in, H, W)`` and ``(N, condition_dim)`` → ``(N, out, H, W)``."""
        height, width = x.shape[-2:]
        of_condition = self.weight[:, : self.condition_dim].flatten(2)  # (out, ca, 9)
        of_map = self.weight[:, self.condition_dim :]
        taps = condition @ of_condition.permute(1, 2, 0).flatten(1)
        taps = taps.view(len(taps), 9, -1)  # (N, 9, out)
        inside = _taps_inside(height, width, taps)  # (H * W, 9)
        added = (inside @ taps).view(len(x), height, width, -1)  # (N, H, W, out)
        out: Tensor = F.conv2d(x, of_map, padding=1) + added.permute(0, 3, 1, 2)
        return out


def _taps_inside(height: int, width: int, like: Tensor) -> Tensor:
    # Which taps of a padded 3×3 convolution meet the map, at each place of it.
    rows = F.pad(like.new_ones(height), (1, 1)).unfold(0, 3, 1)  # (H, 3)
    columns = F.pad(like.new_ones(width), (1, 1)).unfold(0, 3, 1)  # (W, 3)
    return (rows[:, None, :, None] * columns[None, :, None, :]).reshape(height * width, 9)


def initialise(module: nn.Module) -> None:
    """Orthogonal convolutions and linear layers, batch norm scales from N(1, 0.02), zero biases.

    As in the authors' code, which the paper leaves out. Draws from torch's current generator. On
    the device meta, where there are no values, nothing is drawn: torch would load sympy for it.
    """
    if all(parameter.is_meta for parameter in module.parameters()):
        return
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
