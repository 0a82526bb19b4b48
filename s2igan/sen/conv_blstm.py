"""The speech encoder of direct speech-to-image translation, the paper's [12].

Li et al. 2020, arXiv 2004.03413, as ``smallflyingpig/speech-to-image-translation-without-text``
publishes it in ``Audio_to_Image/speech_encoder.py``.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.sen.encoder import DescriptionEncoder, Reads
from s2igan.sen.layers import MaskedBatchNorm, length_mask, mean_over_time
from s2igan.sen.recurrent import BidirectionalRnn

WIDTHS = 5  # that differ among the convolutions


class Layer(NamedTuple):
    """One convolution: which of the five widths it has, frames seen and advanced."""

    width: int
    kernel: int
    stride: int
    pooled: bool = False


LAYERS = (
    Layer(0, 1, 1),  # all bands of one frame
    Layer(0, 3, 1, pooled=True),
    Layer(1, 17, 2),
    Layer(2, 13, 2),
    Layer(2, 3, 1),
    Layer(3, 9, 2, pooled=True),
    Layer(3, 3, 1),
    Layer(4, 5, 2),
)
"""The stack as published; one frame of its output stands for 64 of its input."""


class Convolution(nn.Module):
    """Convolution over time, batch norm, ReLU and, where it is pooled, the maximum of 3 frames.

    Zeros stand around every sequence, whether it ends with the batch or before. On a CPU the
    convolution is float32 whatever ``sen.precision`` says: over the few frames that the last layers
    see, oneDNN's bfloat16 weight gradient is no number every hundred steps or so
    (uxlfoundation/oneDNN issue 5717).
    """

    def __init__(self, inputs: int, outputs: int, layer: Layer) -> None:
        super().__init__()
        self.stride, self.pooled = layer.stride, layer.pooled
        self.convolution = nn.Conv1d(
            inputs, outputs, layer.kernel, layer.stride, layer.kernel // 2, bias=False
        )
        self.norm = MaskedBatchNorm(outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, T), zero past the end, to (B, C', T') likewise, and their (B,) lengths."""
        lengths = (lengths - 1) // self.stride + 1
        with torch.autocast(x.device.type, enabled=x.is_cuda and torch.is_autocast_enabled("cuda")):
            x = self.convolution(x)  # (B, C', T')
        x = torch.relu(self.norm(x, length_mask(lengths, x.shape[2])))
        if self.pooled:
            lengths = (lengths - 1) // 2 + 1
            x = F.max_pool1d(x, 3, 2, padding=1)
            x = x.masked_fill(~length_mask(lengths, x.shape[2])[:, None], 0.0)
        return x, lengths

    def __call__(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`forward`."""
        return cast(tuple[Tensor, Tensor], super().__call__(x, lengths))


class ConvBlstm(DescriptionEncoder):
    """Eight convolutions, a bidirectional LSTM, the mean over time.

    Published are convolutions of 64, 64, 128, 256, 256, 512, 512 and 1024 channels and 512 units
    per direction, whose 1024 states are the embedding. The first convolution is 2-D and spans all
    bands, so that what follows it is 1-D over time, and it is a 1-D convolution over frames of
    ``bands`` features here, which is the same. Departures: log-mel comes normalised per band, so
    there is no batch norm before the first convolution; utterances are neither cut nor padded to
    2048 frames, and padding is left out of the batch norms and of the mean.

    Args:
        bands: mel bands of a frame; published 40.
        channels: the five widths in their order, published 64, 128, 256, 512, 1024; where fewer are
            given, the last stands for those that are missing.
        lstm_hidden: units per direction; published 512.
        embedding_dim: size ``E`` of the embedding; published 1024. Where it differs from
            ``2 * lstm_hidden``, a linear layer follows the mean, which [12] has not.
    """

    reads: Reads = "mel"

    def __init__(
        self, *, bands: int, channels: Sequence[int], lstm_hidden: int, embedding_dim: int
    ) -> None:
        super().__init__(embedding_dim)
        self.sizes = {
            "bands": bands,
            "channels": list(channels),
            "lstm_hidden": lstm_hidden,
            "embedding_dim": embedding_dim,
        }
        widths = [*channels, *[channels[-1]] * (WIDTHS - len(channels))]
        outputs = [widths[layer.width] for layer in LAYERS]
        self.convolutions = nn.ModuleList(
            Convolution(c_in, c_out, layer)
            for c_in, c_out, layer in zip([bands, *outputs[:-1]], outputs, LAYERS, strict=True)
        )
        self.lstm = BidirectionalRnn(outputs[-1], lstm_hidden, 1, nn.LSTM)
        self.project = (
            nn.Identity()
            if embedding_dim == 2 * lstm_hidden
            else nn.Linear(2 * lstm_hidden, embedding_dim)
        )

    def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`DescriptionEncoder.describe`; log-mel is zero past its end."""
        lengths = lengths.clamp(min=1)
        x = sequences.transpose(1, 2)  # (B, bands, T)
        for convolution in self.convolutions:
            x, lengths = convolution(x, lengths)  # (B, C, T')
        states = self.lstm(x.transpose(1, 2), lengths)  # (B, T', 2 * lstm_hidden)
        described: Tensor = self.project(mean_over_time(states, lengths))  # (B, E)
        return described
