"""The networks that the section ``rdg`` describes, and pictures at their scales."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.rdg.config import RdgConfig
from s2igan.rdg.discriminator import Discriminator
from s2igan.rdg.generator import Generator


def build_generator(config: RdgConfig, embedding_dim: int) -> Generator:
    """Make the generator that ``config`` describes."""
    return Generator(
        embedding_dim=embedding_dim,
        base_size=config.base_size,
        gf=config.gf,
        noise_dim=config.noise_dim,
        condition_dim=config.condition_dim,
        residual_blocks=config.residual_blocks,
        dense=config.dense,
    )


def build_discriminators(config: RdgConfig) -> list[Discriminator]:
    """Make the three discriminators that ``config`` describes, small scale first."""
    return [
        Discriminator(
            size=scale * config.base_size,
            base_size=config.base_size,
            df=config.df,
            condition_dim=config.condition_dim,
            widest=config.d_widest,
        )
        for scale in (1, 2, 4)
    ]


def to_scales(pictures: Tensor, sizes: tuple[int, int, int]) -> list[Tensor]:
    """``(N, crop, crop, 3)`` uint8 → three ``(N, 3, S, S)`` float32 in [-1, 1], small to large.

    Each scale is the area average of the crop; ``sizes`` double from scale to scale. Of a crop that
    is no whole multiple or fraction of the largest, PyTorch averages overlapping whole pixels.
    """
    images = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1  # (N, 3, crop, crop)
    if images.shape[-1] != sizes[2]:
        images = F.interpolate(images, (sizes[2], sizes[2]), mode="area")
    middle = F.avg_pool2d(images, 2)
    return [F.avg_pool2d(middle, 2), middle, images]


def to_channels_last(module: nn.Module) -> None:
    """Keep the weights of convolutions in the order of memory that they are fastest in."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
