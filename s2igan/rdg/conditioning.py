"""Conditioning augmentation F_ca (paper §2.3.1, eq. 7; StackGAN's reparametrised Gaussian)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.rdg.normed import glu


class Condition(NamedTuple):
    """The Gaussian that speech embeddings become, and a sample of it; each ``(N, ca)`` float32."""

    mu: Tensor
    logvar: Tensor
    sample: Tensor


class ConditioningAugmentation(nn.Module):
    """Linear → GLU → mean and log-variance → sample.

    Speech embeddings have unit length, so each of their many values is small beside the noise of
    the sample, and what they share by far outweighs what tells them apart. :meth:`standardise`
    takes both out, which a short training needs. Note: neither the paper nor the authors' code does
    so; without it embeddings enter as they are.

    Args:
        embedding_dim: dimension of the speech embedding A.
        condition_dim: dimension of F_ca(A).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, embedding_dim: int, condition_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_dim, 4 * condition_dim)
        self.register_buffer("mean", torch.zeros(embedding_dim))
        self.register_buffer("scale", torch.ones(()))

    def standardise(self, mean: Tensor, deviation: float) -> None:
        """Subtract ``mean`` ``(embedding_dim,)`` and divide by ``deviation`` from now on."""
        self.mean.copy_(mean)
        self.scale.fill_(1 / deviation)

    def forward(self, embedding: Tensor, noise: Tensor) -> Condition:
        """Augment speech embeddings.

        Args:
            embedding: ``(N, embedding_dim)`` speech embeddings A.
            noise: ``(N, condition_dim)`` standard normal; zeros give the mean.

        Raises:
            ValueError: if the noise has another shape: one value would serve a whole row.
        """
        # A small layer whose variance feeds the KL term: float32 whatever surrounds it.
        with torch.autocast(embedding.device.type, enabled=False):
            centred = (full_precision(embedding) - self.mean) * self.scale
            hidden = glu(self.linear(centred))  # (N, 2 ca)
        mu, logvar = hidden.chunk(2, dim=1)
        if noise.shape != mu.shape:
            raise ValueError(f"noise of F_ca is {tuple(noise.shape)}, expected {tuple(mu.shape)}")
        return Condition(mu, logvar, mu + noise * torch.exp(0.5 * logvar))
