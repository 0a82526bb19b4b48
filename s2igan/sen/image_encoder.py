"""The image encoder IED behind its frozen backbone (paper §2.2)."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.device import full_precision


class ImageEncoder(nn.Module):
    """One linear layer from backbone features to the shared space, then unit length.

    The paper keeps its backbone frozen, so features are computed once by the stage ``features`` and
    only this layer is trained.

    Args:
        feature_dim: size ``D`` of the joined backbone features.
        embedding_dim: size ``E`` of the shared space; paper 1024.
    """

    def __init__(self, feature_dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.sizes = {"feature_dim": feature_dim, "embedding_dim": embedding_dim}
        self.embedding_dim = embedding_dim
        self.project = nn.Linear(feature_dim, embedding_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Embed pictures.

        Args:
            features: (..., D) float, standardised backbone features.

        Returns:
            (..., E) float32 of unit length.
        """
        return F.normalize(full_precision(self.project(features)), dim=-1)

    def __call__(self, features: Tensor) -> Tensor:
        """See :meth:`forward`."""
        return cast(Tensor, super().__call__(features))


class StandardisedFeatures(nn.Module):
    """Pictures as their own standardised backbone features, at unit length; no weights.

    What direct speech-to-image translation, the paper's [12], has in place of an image encoder: its
    teacher is the frozen backbone itself.

    Args:
        feature_dim: size ``D`` of the joined backbone features, and of the embedding.
    """

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.sizes = {"feature_dim": feature_dim}
        self.embedding_dim = feature_dim

    def forward(self, features: Tensor) -> Tensor:
        """Scale (..., D) float features to (..., D) float32 of unit length."""
        return F.normalize(features, dim=-1)

    def __call__(self, features: Tensor) -> Tensor:
        """See :meth:`forward`."""
        return cast(Tensor, super().__call__(features))


PictureEncoder = ImageEncoder | StandardisedFeatures
