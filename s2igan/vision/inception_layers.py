"""The layers of Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception Architecture").

One chain of named layers with every batch normalisation folded into its convolution. What the
figure of a block shows as branches is a :class:`Fork`. Layers carry the names of torchvision's
network, which those of all published weight files are.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine import kernels

Kernel = int | tuple[int, int]
Pool = Callable[[], nn.Module]


class Unit(nn.Conv2d):
    """Convolution and rectifier; the bias is what is left of the batch normalisation."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(N, channels, H, W)`` to ``(N, filters, H', W')``."""
        if _kernels_take(maps, self):
            from s2igan.vision.inception_kernels import rectified

            plain = F.conv2d(maps, self.weight, None, self.stride, self.padding)
            dense = plain.contiguous(memory_format=torch.channels_last)
            return rectified(dense, cast(Tensor, self.bias))
        return F.relu(super().forward(maps), inplace=True)


class PooledUnit(nn.Conv2d):
    """Average of the neighbourhood, 1×1 convolution, rectifier.

    The convolution goes first, which changes no number and leaves fewer channels to average.

    Args:
        channels: that come in.
        filters: that come out.
        average: pools 3 x 3 neighbourhoods.
    """

    def __init__(self, channels: int, filters: int, average: nn.AvgPool2d) -> None:
        super().__init__(channels, filters, 1)
        self.average = average

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(N, channels, H, W)`` to ``(N, filters, H, W)``."""
        assert self.bias is not None
        mixed = F.conv2d(maps, self.weight)
        if _kernels_take(mixed, self):
            from s2igan.vision.inception_kernels import rectified_average

            return rectified_average(mixed, self.bias, self.average.count_include_pad)
        return F.relu(self.average(mixed) + self.bias.to(mixed.dtype)[:, None, None], inplace=True)


class Halving(nn.MaxPool2d):
    """Maximum of 3 x 3 pixels around every second one."""

    def __init__(self) -> None:
        super().__init__(3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, (H - 1) // 2, (W - 1) // 2)``."""
        if kernels.usable(maps):
            from s2igan.vision.inception_kernels import maximum

            return maximum(maps)
        largest: Tensor = super().forward(maps)
        return largest


def _kernels_take(maps: Tensor, layer: nn.Conv2d) -> bool:
    # They give the bias no gradient, which a network that is fine-tuned wants.
    frozen = layer.bias is not None and not layer.bias.requires_grad
    return frozen and kernels.usable(maps)


class Fork(nn.Module):
    """Chains of layers over the same maps, their results joined along the channels."""

    def __init__(self, *chains: nn.Module) -> None:
        super().__init__()
        self.chains = nn.ModuleList(chains)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, sum of the chains' channels, H', W')``."""
        return torch.cat([chain(maps) for chain in self.chains], dim=1)


def build_trunk(average: Pool, last_pool: Pool) -> nn.Sequential:
    """Build the network from the pictures to the maps of Mixed_7c.

    Args:
        average: pools 3 x 3 neighbourhoods to maps of the same size, in all blocks but the last.
        last_pool: the same in Mixed_7c.

    Returns:
        A chain of named layers, ``(N, 3, 299, 299)`` to ``(N, 2048, 8, 8)``.
    """
    return chain(
        Conv2d_1a_3x3=unit(3, 32, 3, stride=2),  # 149 x 149
        Conv2d_2a_3x3=unit(32, 32, 3),  # 147 x 147
        Conv2d_2b_3x3=unit(32, 64, 3, padded=True),
        maxpool1=Halving(),  # 73 x 73
        Conv2d_3b_1x1=unit(64, 80),
        Conv2d_4a_3x3=unit(80, 192, 3),  # 71 x 71
        maxpool2=Halving(),  # 35 x 35
        Mixed_5b=_mixed_5(192, 32, average),
        Mixed_5c=_mixed_5(256, 64, average),
        Mixed_5d=_mixed_5(288, 64, average),
        Mixed_6a=_mixed_6a(),  # 17 x 17
        Mixed_6b=_mixed_6(128, average),
        Mixed_6c=_mixed_6(160, average),
        Mixed_6d=_mixed_6(160, average),
        Mixed_6e=_mixed_6(192, average),
        Mixed_7a=_mixed_7a(),  # 8 x 8
        Mixed_7b=_mixed_7(1280, average),
        Mixed_7c=_mixed_7(2048, last_pool),
    )


def chain(**layers: nn.Module) -> nn.Sequential:
    """Put named layers one behind the other."""
    return nn.Sequential(OrderedDict(layers))


def unit(
    channels: int, filters: int, kernel: Kernel = 1, *, stride: int = 1, padded: bool = False
) -> Unit:
    """Make a unit; a padded one keeps the size of the maps."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2) if padded else 0
    return Unit(channels, filters, (height, width), stride, padding)


def _pooled(pool: nn.Module, channels: int, filters: int) -> nn.Sequential:
    if isinstance(pool, nn.AvgPool2d):
        return chain(branch_pool=PooledUnit(channels, filters, pool))
    return chain(pool=pool, branch_pool=unit(channels, filters))


def _mixed_5(channels: int, pooled: int, average: Pool) -> Fork:
    return Fork(  # 224 + pooled channels
        chain(branch1x1=unit(channels, 64)),
        chain(branch5x5_1=unit(channels, 48), branch5x5_2=unit(48, 64, 5, padded=True)),
        chain(
            branch3x3dbl_1=unit(channels, 64),
            branch3x3dbl_2=unit(64, 96, 3, padded=True),
            branch3x3dbl_3=unit(96, 96, 3, padded=True),
        ),
        _pooled(average(), channels, pooled),
    )


def _mixed_6a() -> Fork:
    return Fork(  # 768 channels
        chain(branch3x3=unit(288, 384, 3, stride=2)),
        chain(
            branch3x3dbl_1=unit(288, 64),
            branch3x3dbl_2=unit(64, 96, 3, padded=True),
            branch3x3dbl_3=unit(96, 96, 3, stride=2),
        ),
        chain(pool=Halving()),
    )


def _mixed_6(inner: int, average: Pool) -> Fork:
    flat, tall = (1, 7), (7, 1)
    return Fork(  # 768 channels
        chain(branch1x1=unit(768, 192)),
        chain(
            branch7x7_1=unit(768, inner),
            branch7x7_2=unit(inner, inner, flat, padded=True),
            branch7x7_3=unit(inner, 192, tall, padded=True),
        ),
        chain(
            branch7x7dbl_1=unit(768, inner),
            branch7x7dbl_2=unit(inner, inner, tall, padded=True),
            branch7x7dbl_3=unit(inner, inner, flat, padded=True),
            branch7x7dbl_4=unit(inner, inner, tall, padded=True),
            branch7x7dbl_5=unit(inner, 192, flat, padded=True),
        ),
        _pooled(average(), 768, 192),
    )


def _mixed_7a() -> Fork:
    return Fork(  # 1280 channels
        chain(branch3x3_1=unit(768, 192), branch3x3_2=unit(192, 320, 3, stride=2)),
        chain(
            branch7x7x3_1=unit(768, 192),
            branch7x7x3_2=unit(192, 192, (1, 7), padded=True),
            branch7x7x3_3=unit(192, 192, (7, 1), padded=True),
            branch7x7x3_4=unit(192, 192, 3, stride=2),
        ),
        chain(pool=Halving()),
    )


def _mixed_7(channels: int, pool: Pool) -> Fork:
    return Fork(  # 2048 channels
        chain(branch1x1=unit(channels, 320)),
        chain(
            branch3x3_1=unit(channels, 384),
            fork=Fork(
                chain(branch3x3_2a=unit(384, 384, (1, 3), padded=True)),
                chain(branch3x3_2b=unit(384, 384, (3, 1), padded=True)),
            ),
        ),
        chain(
            branch3x3dbl_1=unit(channels, 448),
            branch3x3dbl_2=unit(448, 384, 3, padded=True),
            fork=Fork(
                chain(branch3x3dbl_3a=unit(384, 384, (1, 3), padded=True)),
                chain(branch3x3dbl_3b=unit(384, 384, (3, 1), padded=True)),
            ),
        ),
        _pooled(pool(), channels, 192),
    )
