"""Layers of the speech encoder in which padding has no say.

A batch of sequences is padded on the right; ``mask`` marks the frames that are real.
"""

from typing import cast

import torch
from torch import Tensor, nn


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """Mark the real frames of a padded batch.

    Args:
        lengths: (B,) int, real frames of every sequence.
        frames: padded length ``T``.

    Returns:
        (B, T) bool.
    """
    return torch.arange(frames, device=lengths.device) < lengths[:, None]  # (B, T)


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm whose statistics come from real frames only; padding leaves as zeros.

    Parameters, buffers and momentum are those of :class:`torch.nn.BatchNorm1d`. Note: the paper's
    code lets padding into the statistics, so that an utterance's embedding depends on its batch.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise ``x``.

        Args:
            x: (B, C, T) float, anything where the mask is false.
            mask: (B, T) bool; None where every frame is real.

        Returns:
            (B, C, T) float32, zero where the mask is false.
        """
        x = x.float()
        if mask is None:
            return super().forward(x)
        real = mask[:, None].to(x.dtype)  # (B, 1, T)
        if self.training:
            mean, variance = self._batch_statistics(x, real)
        else:
            mean, variance = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        scale = self.weight * torch.rsqrt(variance + self.eps)  # (C,)
        shift = self.bias - mean * scale  # (C,)
        return (x * scale[:, None] + shift[:, None]) * real

    def _batch_statistics(self, x: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        count = real.sum()
        mean = (x * real).sum(dim=(0, 2)) / count  # (C,)
        variance = ((x - mean[:, None]).square() * real).sum(dim=(0, 2)) / count  # (C,)
        with torch.no_grad():
            running_mean, running_var = (
                cast(Tensor, self.running_mean),
                cast(Tensor, self.running_var),
            )
            momentum = cast(float, self.momentum)
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
            cast(Tensor, self.num_batches_tracked).add_(1)
        return mean, variance


class AttentionPooling(nn.Module):
    """Self-attention over time with a weight for every feature (paper §2.2.1).

    ``softmax_t(V tanh(U x_t))`` weighs each feature of ``x_t`` separately. Note: the paper's code
    lets padding into the softmax; here the mask keeps it out.

    Args:
        features: size ``F`` of a frame; paper 1024.
        hidden: size between the two linear layers; paper 128.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, features)
        nn.init.orthogonal_(self.hidden.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool ``x`` over its real frames.

        Args:
            x: (B, T, F) float.
            mask: (B, T) bool, at least one true per sequence.

        Returns:
            (B, F) float32.
        """
        scores = self.score(torch.tanh(self.hidden(x))).float()  # (B, T, F)
        weights = scores.masked_fill(~mask[..., None], -torch.inf).softmax(dim=1)  # (B, T, F)
        pooled: Tensor = (weights * x).sum(dim=1)  # (B, F)
        return pooled
