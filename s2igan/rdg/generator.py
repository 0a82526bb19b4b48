"""The densely-stacked generator DG (paper §2.3.1, eq. 7).

Note: the paper gives eq. (7) without layer sizes; those are the authors' code's, which are
StackGAN-v2's. Its ``released`` stacking joins a stage's input to its output before upsampling and
does not let h0 reach the third stage; ``paper`` does what eq. (7) says: F_i sees h0, ..., h_{i-1}.
"""

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.engine.sync_norm import SyncBatchNorm1d, SyncBatchNorm2d
from s2igan.rdg.conditioning import Condition, ConditioningAugmentation
from s2igan.rdg.layers import ConditionedConv, ResidualBlock, UpBlock, enlarged, initialise
from s2igan.rdg.normed import glu, norm_glu

Dense = Literal["none", "paper", "released"]
FIRST_SIDE = 4  # side of the map that the first linear layer makes, px


class Generated(NamedTuple):
    """``images``: three ``(N, 3, S, S)`` float32 in [-1, 1], small to large; ``condition``."""

    images: list[Tensor]
    condition: Condition


class FirstStage(nn.Module):
    """F0: condition and noise to h0, ``(N, gf, base_size, base_size)``."""

    def __init__(self, input_dim: int, gf: int, base_size: int) -> None:
        super().__init__()
        doublings = int(math.log2(base_size // FIRST_SIDE))
        width = gf * 2**doublings
        self.linear = nn.Linear(input_dim, 2 * width * FIRST_SIDE**2, bias=False)
        self.norm = SyncBatchNorm1d(2 * width * FIRST_SIDE**2)
        self.up = nn.Sequential(
            *(UpBlock(width // 2**i, width // 2 ** (i + 1)) for i in range(doublings))
        )

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """``(N, z)`` and ``(N, ca)`` → ``(N, gf, B, B)``."""
        hidden = glu(self.norm(self.linear(torch.cat([condition, noise], dim=1))))
        hidden = hidden.view(len(hidden), -1, FIRST_SIDE, FIRST_SIDE)  # (N, width, 4, 4)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.up(hidden)
        return out


class NextStage(nn.Module):
    """F1 and F2: earlier maps and the condition to a map of twice the side and half the channels.

    Args:
        channels: channels of the stage's own input h_{i-1}.
        earlier_channels: channels of h_0, ..., h_{i-2} joined to it (``paper`` stacking, else 0).
        condition_dim: dimension of the condition.
        residual_blocks: how many.
        join_input: whether the input joins the output before upsampling (``released`` stacking).
    """

    def __init__(
        self,
        channels: int,
        earlier_channels: int,
        condition_dim: int,
        residual_blocks: int,
        join_input: bool,
    ) -> None:
        super().__init__()
        self.join_input = join_input
        self.joint = ConditionedConv(condition_dim, earlier_channels + channels, 2 * channels)
        self.norm = SyncBatchNorm2d(2 * channels)
        self.residual = nn.Sequential(*(ResidualBlock(channels) for _ in range(residual_blocks)))
        self.up = UpBlock(2 * channels if join_input else channels, channels // 2)

    def forward(self, maps: list[Tensor], condition: Tensor) -> Tensor:
        """Earlier maps, the last one ``(N, C, H, W)``, → ``(N, C/2, 2H, 2W)``."""
        last = maps[-1]
        side = last.shape[-1]
        resized = [enlarged(earlier, side // earlier.shape[-1]) for earlier in maps[:-1]]
        joined = torch.cat([*resized, last], dim=1) if resized else last
        out = self.residual(norm_glu(self.norm, self.joint(joined, condition)))
        if self.join_input:
            out = torch.cat([out, last], dim=1)  # (N, 2C, H, W)
        upsampled: Tensor = self.up(out)
        return upsampled


class ToImage(nn.Module):
    """G_i: feature map to picture in [-1, 1]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 3, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, S, S)`` → ``(N, 3, S, S)`` float32."""
        return torch.tanh(full_precision(self.conv(x)))


class Generator(nn.Module):
    """F_ca, F0, F1, F2 and G0, G1, G2 of eq. (7).

    Args:
        embedding_dim: dimension of the speech embedding A.
        base_size: side of the first picture, px, a power of two of at least 8.
        gf: channels of h0; h1 and h2 have a half and a quarter of them.
        noise_dim: dimension of z.
        condition_dim: dimension of F_ca(A).
        residual_blocks: residual blocks in each of F1 and F2.
        dense: how the stages are stacked, see the module's note.

    Raises:
        ValueError: if ``base_size`` or ``dense`` is another one.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        base_size: int,
        gf: int,
        noise_dim: int,
        condition_dim: int,
        residual_blocks: int,
        dense: Dense,
    ) -> None:
        super().__init__()
        if base_size < 2 * FIRST_SIDE or base_size & (base_size - 1):
            raise ValueError(f"base_size is {base_size}, expected a power of two of at least 8")
        if dense not in get_args(Dense):
            raise ValueError(f"dense is {dense!r}, expected one of {', '.join(get_args(Dense))}")
        self.architecture: dict[str, int | str] = {
            "embedding_dim": embedding_dim,
            "base_size": base_size,
            "gf": gf,
            "noise_dim": noise_dim,
            "condition_dim": condition_dim,
            "residual_blocks": residual_blocks,
            "dense": dense,
        }
        self.sizes = (base_size, 2 * base_size, 4 * base_size)
        self.embedding_dim = embedding_dim
        self.noise_dim = noise_dim
        self.condition_dim = condition_dim
        self.conditioning = ConditioningAugmentation(embedding_dim, condition_dim)
        self.first = FirstStage(condition_dim + noise_dim, gf, base_size)
        join = dense == "released"
        self.later = nn.ModuleList(
            [
                NextStage(gf, 0, condition_dim, residual_blocks, join),
                NextStage(
                    gf // 2, gf if dense == "paper" else 0, condition_dim, residual_blocks, join
                ),
            ]
        )
        self.dense = dense
        self.to_image = nn.ModuleList([ToImage(gf), ToImage(gf // 2), ToImage(gf // 4)])
        initialise(self)

    def forward(self, embedding: Tensor, noise: Tensor, condition_noise: Tensor) -> Generated:
        """Draw pictures at three scales.

        Args:
            embedding: ``(N, embedding_dim)`` speech embeddings A.
            noise: ``(N, noise_dim)`` standard normal z.
            condition_noise: ``(N, condition_dim)`` standard normal; zeros give the mean of F_ca.
        """
        condition = self.conditioning(embedding, condition_noise)
        maps = [self.first(noise, condition.sample)]
        for stage in self.later:
            seen = maps if self.dense == "paper" else maps[-1:]
            maps.append(stage(seen, condition.sample))
        images = [paint(h) for paint, h in zip(self.to_image, maps, strict=True)]
        return Generated(images, condition)
