"""Layers of the speech encoder in which padding has no say.

A batch of sequences is padded on the right; ``mask`` marks the frames that are real.
"""

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.engine.distributed import world
from s2igan.engine.sync_norm import SyncBatchNorm1d, follow


def check_lengths(lengths: Tensor, sequences: Tensor) -> None:
    """Refuse lengths (B,) that cannot be those of ``sequences`` (B, T, ...).

    Raises:
        ValueError: saying which were expected.
    """
    batch, longest = sequences.shape[:2]
    if lengths.shape != (batch,):
        raise ValueError(f"lengths are {tuple(lengths.shape)}, expected ({batch},)")
    # To read them of a GPU is to wait for it.
    if not lengths.is_cuda and bool((lengths > longest).any()):
        raise ValueError(f"lengths reach {int(lengths.max())}, expected at most {longest}")


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """Mark the real frames of a padded batch.

    Args:
        lengths: (B,) int, real frames of every sequence.
        frames: padded length ``T``.

    Returns:
        (B, T) bool.
    """
    return torch.arange(frames, device=lengths.device) < lengths[:, None]  # (B, T)


def mean_over_time(x: Tensor, lengths: Tensor) -> Tensor:
    """Average the real frames of (B, T, F); (B,) ``lengths`` are at least 1. Returns (B, F)."""
    padding = ~length_mask(lengths, x.shape[1])  # (B, T)
    return x.masked_fill(padding[..., None], 0.0).sum(dim=1) / lengths[:, None]  # (B, F)


class MaskedBatchNorm(SyncBatchNorm1d):
    """Batch norm of the real frames alone, of all processes; padding leaves as zeros.

    Note: the paper's code lets padding into the statistics, so that an utterance's embedding
    depends on the lengths of its neighbours.
    """

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise ``x``.

        Args:
            x: (B, C, T) float, anything where the mask is false.
            mask: (B, T) bool, true for real frames.

        Returns:
            (B, C, T) float32, zero where the mask is false.
        """
        frames = x.transpose(1, 2)  # (B, T, C)
        if x.is_cuda and self.training and self.momentum is not None and world() == 1:
            return self.weighed(full_precision(frames), mask).transpose(1, 2)
        normal = super().forward(full_precision(frames[mask]))  # (real frames, C)
        padded = normal.new_zeros(frames.shape)
        padded[mask] = normal
        return padded.transpose(1, 2)  # (B, C, T)

    def weighed(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Normalise (B, T, C) frames in training; padding weighs nothing in sums over all of them.

        The same numbers as picking the real frames, which a GPU would have to count first while
        the host waits.
        """
        weights = mask[..., None].to(frames.dtype)  # (B, T, 1)
        count = weights.sum()
        mean = (frames * weights).sum((0, 1)) / count  # (C,)
        centred = (frames - mean) * weights
        variance = centred.square().sum((0, 1)) / count
        follow(self, mean, variance, count)
        return (centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias) * weights


class AttentionPooling(nn.Module):
    """Self-attention over time with a weight for every feature (paper §2.2).

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
        if not self.hidden.weight.is_meta:  # for what has no values torch would load sympy
            nn.init.orthogonal_(self.hidden.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool ``x`` over its real frames.

        Args:
            x: (B, T, F) float.
            mask: (B, T) bool, at least one true per sequence.

        Returns:
            (B, F) float32.
        """
        scores = full_precision(self.score(torch.tanh(self.hidden(x))))  # (B, T, F)
        weights = scores.masked_fill(~mask[..., None], -torch.inf).softmax(dim=1)  # (B, T, F)
        pooled: Tensor = (weights * x).sum(dim=1)  # (B, F)
        return pooled
