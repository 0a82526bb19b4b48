"""What every encoder of descriptions is, whatever it reads."""

from abc import ABC, abstractmethod
from typing import Literal, cast

from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.device import full_precision

Reads = Literal["mel", "characters"]
"""The packed array of ``artifacts/features`` that holds an encoder's sequences."""


class DescriptionEncoder(nn.Module, ABC):
    """From a description, spoken or written, to one vector of unit length.

    Padding never changes an embedding, nor do the neighbours in the batch, except through batch
    statistics in training.

    Args:
        embedding_dim: size ``E`` of the embedding.

    Attributes:
        embedding_dim: size ``E`` of the embedding.
        reads: what its sequences are.
        sizes: all arguments that build it, as JSON knows them; ``bands`` is one of an encoder that
            reads log-mel.
    """

    reads: Reads
    sizes: dict[str, object]

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim

    @property
    def shortest(self) -> int:
        """Frames or characters that give one output; shorter descriptions are padded."""
        return 1

    @abstractmethod
    def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, E) float, the embeddings before they are scaled to unit length.

        Args:
            sequences: (B, T, bands) float32 log-mel, or (B, T) float32 byte values of a text; zero
                past the end.
            lengths: (B,) int64, real frames or bytes of every description, in any order.
        """

    def forward(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """Embed descriptions.

        Args:
            sequences: see :meth:`describe`.
            lengths: see :meth:`describe`.

        Returns:
            (B, E) float32 of unit length.
        """
        return F.normalize(full_precision(self.describe(sequences, lengths)), dim=-1)

    def __call__(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """See :meth:`forward`."""
        return cast(Tensor, super().__call__(sequences, lengths))
