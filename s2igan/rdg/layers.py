"""Blocks that the generator and the discriminators share (paper §2.3.1, after StackGAN-v2).

Images and feature maps are NCHW; the trainer keeps them in channels_last memory.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def glu(x: Tensor) -> Tensor:
    """Gated linear unit over the channels: ``(N, 2C, ...)`` → ``(N, C, ...)``.

    Written out because :func:`torch.nn.functional.glu` is several times slower on channels_last
    maps.
    """
    value, gate = x.chunk(2, dim=1)
    return value * torch.sigmoid(gate)


class ConvGlu(nn.Module):
    """3×3 convolution to ``2 * out_channels``, batch norm, GLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 2 * out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` → ``(N, out, H, W)``."""
        return glu(self.norm(self.conv(x)))


class UpBlock(nn.Module):
    """Nearest-neighbour upsampling by two, then :class:`ConvGlu`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = ConvGlu(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in, H, W)`` → ``(N, out, 2H, 2W)``."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # (N, in, 2H, 2W)
        out: Tensor = self.block(x)
        return out


class ResidualBlock(nn.Module):
    """:class:`ConvGlu`, a second 3×3 convolution with batch norm, and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvGlu(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` → ``(N, C, H, W)``."""
        out: Tensor = x + self.norm(self.conv(self.block(x)))
        return out


class ConditionedConv(nn.Conv2d):
    """3×3 convolution of a feature map beside a condition tiled over it, bias-free.

    The same numbers as a convolution of ``cat(tiled condition, map)``, for a fraction of the work:
    a zero-padded 3×3 convolution of a constant map takes only nine values (four corners, four
    edges, the inside), so the condition's share is computed on a 3×3 map and spread from there.
    """

    def __init__(self, condition_dim: int, in_channels: int, out_channels: int) -> None:
        super().__init__(condition_dim + in_channels, out_channels, 3, padding=1, bias=False)
        self.condition_dim = condition_dim

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """``(N, in, H, W)`` and ``(N, condition_dim)`` → ``(N, out, H, W)``; H and W at least 2."""
        height, width = x.shape[-2:]
        constant = condition[:, :, None, None].expand(-1, -1, 3, 3)  # (N, ca, 3, 3)
        nine = F.conv2d(constant, self.weight[:, : self.condition_dim], padding=1)
        rows = [0, *[1] * (height - 2), 2]
        columns = [0, *[1] * (width - 2), 2]
        spread = nine[:, :, rows][..., columns]  # (N, out, H, W)
        return F.conv2d(x, self.weight[:, self.condition_dim :], padding=1) + spread


def initialise(module: nn.Module) -> None:
    """Orthogonal convolutions and linear layers, batch norm scales from N(1, 0.02), zero biases.

    As in the authors' code, which the paper leaves out. Draws from torch's current generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
