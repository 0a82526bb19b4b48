"""Bidirectional recurrent layers to which padding does not exist (paper §2.2)."""

import torch
from torch import Tensor, nn

from s2igan.engine.graphs import in_captured_step
from s2igan.sen.paired_gru import paired_gru


def reverse_frames(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the real frames of every sequence and leave the padding at the end.

    Args:
        x: (B, T, F), padded on the right.
        lengths: (B,) int64, real frames.

    Returns:
        (B, T, F).
    """
    time = torch.arange(x.shape[1], device=x.device)  # (T,)
    mirrored = lengths[:, None] - 1 - time  # (B, T)
    source = torch.where(mirrored >= 0, mirrored, time)
    return x.gather(1, source[..., None].expand_as(x))


class BidirectionalRnn(nn.Module):
    """A stack of bidirectional GRU or LSTM layers.

    Read from its end, a padded sequence would begin with padding, so the backward half of a layer
    reads the real frames reversed: then no real frame ever sees padding. Packed sequences give the
    same states; on a CPU their backward pass takes two to three times as long. In a CUDA graph both
    directions of GRUs run as one recurrence; started frame by frame, it would be slower than cuDNN.

    Args:
        features: size of an input frame.
        hidden: units per direction.
        layers: stacked layers.
        cell: what a direction of a layer is; the paper's is a GRU.
    """

    def __init__(
        self,
        features: int,
        hidden: int,
        layers: int,
        cell: type[nn.GRU] | type[nn.LSTM] = nn.GRU,
    ) -> None:
        super().__init__()
        widths = [features] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(cell(w, hidden, batch_first=True) for w in widths)
        self.backwards = nn.ModuleList(cell(w, hidden, batch_first=True) for w in widths)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Run both directions through every layer.

        Args:
            x: (B, T, features) float.
            lengths: (B,) int64, real frames, at least 1 each.

        Returns:
            (B, T, 2 * hidden) float; what stands past the end of a sequence has no meaning.
        """
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            mirrored = reverse_frames(x, lengths)  # (B, T, features)
            if in_captured_step() and isinstance(ahead, nn.GRU) and isinstance(back, nn.GRU):
                past, future = paired_gru(ahead, back, x, mirrored)  # (B, T, hidden)
            else:
                past, _ = ahead(x)  # (B, T, hidden)
                future, _ = back(mirrored)  # (B, T, hidden)
            x = torch.cat([past, reverse_frames(future, lengths)], dim=-1)  # (B, T, 2 * hidden)
        return x
