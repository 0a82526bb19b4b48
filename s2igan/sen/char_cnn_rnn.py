"""The text encoder char-CNN-RNN (Reed et al. 2016, arXiv 1605.05395; ``reedscot/cvpr2016``).

It stands where the speech encoder stands, for StackGAN-v2 on text (paper Table 1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.device import full_precision
from s2igan.sen.encoder import DescriptionEncoder, Reads
from s2igan.sen.layers import check_lengths, mean_over_time

KERNEL = 4  # characters that a convolution sees
POOLED = 3  # frames that a pooling sees
POOL_STRIDES = (3, 3)  # of the first poolings; those that follow advance by LAST_STRIDE
LAST_STRIDE = 2
ALPHABET = 255  # bytes but for zero, which is no character


class CharCnnRnn(DescriptionEncoder):
    """One-hot characters, convolutions with max pooling, a recurrent layer, its mean over time.

    Reed's are three convolutions of 384, 512 and 256 channels over texts of 201 characters, a
    recurrent layer of 256 rectified units and a linear layer to 1024. Departures: the alphabet is
    every byte of UTF-8 and not 70 characters of English, so that any script can be read; texts are
    neither cut nor padded to 201 characters, and the mean over time leaves padding out.

    Args:
        channels: outputs of the convolutions, as many as there are.
        hidden: units of the recurrent layer.
        embedding_dim: size ``E`` of the embedding.
    """

    reads: Reads = "characters"

    def __init__(self, *, channels: Sequence[int], hidden: int, embedding_dim: int) -> None:
        super().__init__(embedding_dim)
        self.sizes = {
            "channels": list(channels),
            "hidden": hidden,
            "embedding_dim": embedding_dim,
        }
        inputs = [ALPHABET, *channels[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(c_in, c_out, KERNEL) for c_in, c_out in zip(inputs, channels, strict=True)
        )
        self.strides = [*POOL_STRIDES, *[LAST_STRIDE] * len(channels)][: len(channels)]
        self.recurrent = nn.RNN(channels[-1], hidden, nonlinearity="relu", batch_first=True)
        self.project = nn.Linear(hidden, embedding_dim)

    @property
    def shortest(self) -> int:
        """Characters that give one frame after the last pooling; shorter texts are padded."""
        frames = 1
        for stride in reversed(self.strides):
            frames = (frames - 1) * stride + POOLED + KERNEL - 1
        return frames

    def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`DescriptionEncoder.describe`; sequences are (B, T) byte values.

        Raises:
            ValueError: if there are not B lengths or, on a CPU, one is greater than T: the mean
                over time would be another.
        """
        check_lengths(lengths, sequences)
        text = F.pad(sequences, (0, max(0, self.shortest - sequences.shape[1])))  # (B, T)
        lengths = lengths.clamp(min=self.shortest)
        letters = F.one_hot(text.long(), 1 + ALPHABET)[..., 1:]  # (B, T, 255)
        x = letters.to(self.project.weight.dtype).transpose(1, 2)  # (B, 255, T)
        for convolution, stride in zip(self.convolutions, self.strides, strict=True):
            x = F.max_pool1d(torch.relu(convolution(x)), POOLED, stride)  # (B, C, T')
            lengths = (lengths - KERNEL + 1 - POOLED) // stride + 1
        states, _ = self.recurrent(full_precision(x).transpose(1, 2))  # (B, T', hidden)
        described: Tensor = self.project(mean_over_time(states, lengths))  # (B, E)
        return described
