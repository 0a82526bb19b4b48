"""The speech encoder SED: from log-mel frames to one vector (paper §2.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.sen.encoder import DescriptionEncoder, Reads
from s2igan.sen.layers import AttentionPooling, MaskedBatchNorm, length_mask
from s2igan.sen.recurrent import BidirectionalRnn

LARGEST = {"stride": 8, "gru_layers": 8}
"""The most of each that ``params.yaml`` allows. A ``sen.json`` may name any number, and weights of
the same shapes fit another stride."""


class SpeechEncoder(DescriptionEncoder):
    """Convolutions, a bidirectional GRU, self-attention pooling, unit length.

    Args:
        bands: mel bands of a frame; paper 40.
        channels: outputs of the convolutions; paper 64, 128.
        kernel: frames a convolution sees; paper 6.
        stride: frames a convolution advances; paper 2.
        activation: ``none`` (the paper's code) or ``relu`` after every batch norm.
        gru_hidden: units per direction; paper 512.
        gru_layers: paper 2.
        attention_hidden: paper 128.
        embedding_dim: size ``E`` of the embedding; paper 1024. Where it differs from
            ``2 * gru_hidden``, a linear layer follows the pooling, which the paper has not.

    Raises:
        ValueError: if ``stride``, ``gru_layers`` or ``activation`` is none that ``params.yaml``
            allows.
    """

    reads: Reads = "mel"

    def __init__(
        self,
        *,
        bands: int,
        channels: Sequence[int],
        kernel: int,
        stride: int,
        activation: str,
        gru_hidden: int,
        gru_layers: int,
        attention_hidden: int,
        embedding_dim: int,
    ) -> None:
        super().__init__(embedding_dim)
        for name, number in (("stride", stride), ("gru_layers", gru_layers)):
            if not isinstance(number, int) or not 1 <= number <= LARGEST[name]:
                raise ValueError(f"{name} is {number!r}, expected 1 to {LARGEST[name]}")
        if activation not in ("none", "relu"):
            raise ValueError(f"activation is {activation!r}, expected none or relu")
        self.sizes = {
            "bands": bands,
            "channels": list(channels),
            "kernel": kernel,
            "stride": stride,
            "activation": activation,
            "gru_hidden": gru_hidden,
            "gru_layers": gru_layers,
            "attention_hidden": attention_hidden,
            "embedding_dim": embedding_dim,
        }
        self.kernel, self.stride, self.activation = kernel, stride, activation
        inputs = [bands, *channels[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(c_in, c_out, kernel, stride)
            for c_in, c_out in zip(inputs, channels, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(c_out) for c_out in channels)
        self.gru = BidirectionalRnn(channels[-1], gru_hidden, gru_layers)
        self.attention = AttentionPooling(2 * gru_hidden, attention_hidden)
        self.project = (
            nn.Identity()
            if embedding_dim == 2 * gru_hidden
            else nn.Linear(2 * gru_hidden, embedding_dim)
        )

    @property
    def shortest(self) -> int:
        """Frames that give one output of the last convolution; shorter utterances are padded."""
        frames = 1
        for _ in self.convolutions:
            frames = (frames - 1) * self.stride + self.kernel
        return frames

    def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`DescriptionEncoder.describe`; log-mel is zero past its end."""
        frames = F.pad(sequences, (0, 0, 0, max(0, self.shortest - sequences.shape[1])))
        lengths = lengths.clamp(min=self.shortest)
        x = frames.transpose(1, 2)  # (B, bands, T)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            lengths = (lengths - self.kernel) // self.stride + 1
            x = convolution(x)  # (B, C, T')
            x = norm(x, length_mask(lengths, x.shape[2]))
            if self.activation == "relu":
                x = torch.relu(x)
        states = self.gru(x.transpose(1, 2), lengths)  # (B, T', 2 * gru_hidden)
        pooled = self.attention(states, length_mask(lengths, x.shape[2]))  # (B, 2 * gru_hidden)
        described: Tensor = self.project(pooled)  # (B, E)
        return described
