"""The objective of SEN (paper §2.2.1, eq. (1)-(6)).

Note: the paper sums over the batch. Its code takes the mean, which keeps the learning rate apart
from the batch size; ``reduction`` chooses.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Reduction = Literal["mean", "sum"]


def same_class_mask(labels: Tensor) -> Tensor:
    """M of eq. (2): false for pairs of one class that do not belong together.

    Where every picture is a class of its own, it spares a picture that a batch holds twice.

    Args:
        labels: (n,) int64, class of every pair.

    Returns:
        (n, n) bool; the diagonal, where speech and picture were paired, is true.
    """
    same = labels[:, None] == labels[None, :]  # (n, n)
    return ~same | torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def matching_loss(
    speech: Tensor, image: Tensor, labels: Tensor, beta: float, reduction: Reduction = "mean"
) -> Tensor:
    """L_m of eq. (4): pick the picture by the speech, eq. (1)-(3), and the speech by the picture.

    Args:
        speech: (n, E) float32 of unit length, A.
        image: (n, E) float32 of unit length, V.
        labels: (n,) int64, class of every pair.
        beta: scale of the cosine similarity; paper 10.
        reduction: over the n pairs.

    Returns:
        Scalar float32, the two directions added.
    """
    logits = beta * speech @ image.T  # (n, n): row i holds beta S(A_i, V_j)
    logits = logits.masked_fill(~same_class_mask(labels), -torch.inf)
    pairs = torch.arange(len(labels), device=labels.device)
    speech_to_image = F.cross_entropy(logits, pairs, reduction=reduction)
    image_to_speech = F.cross_entropy(logits.T, pairs, reduction=reduction)
    return speech_to_image + image_to_speech


def distinctive_loss(
    speech_logits: Tensor, image_logits: Tensor, labels: Tensor, reduction: Reduction = "mean"
) -> Tensor:
    """L_d of eq. (5): tell the class from either embedding.

    Args:
        speech_logits: (n, N) float32, f(A).
        image_logits: (n, N) float32, f(V).
        labels: (n,) int64, class of every pair.
        reduction: over the n pairs.

    Returns:
        Scalar float32, both modalities added.
    """
    from_speech = F.cross_entropy(speech_logits, labels, reduction=reduction)
    from_image = F.cross_entropy(image_logits, labels, reduction=reduction)
    return from_speech + from_image


def build_classifier(embedding_dim: int, classes: int) -> nn.Linear:
    """Build f of eq. (5): one linear layer that both modalities share.

    It sees embeddings of unit length, as in the paper's code, so its weights have to grow before
    its softmax becomes sharp.
    """
    classifier = nn.Linear(embedding_dim, classes)
    nn.init.xavier_uniform_(classifier.weight)
    return classifier


class SenObjective(nn.Module):
    """L_SEN of eq. (6), or what an ablation leaves of it.

    Args:
        embedding_dim: size ``E`` of both embeddings.
        classes: training classes ``N``.
        matching: whether L_m is a term; paper true.
        distinctive: whether L_d is a term; paper true. Without it there is no f.
        distinctive_weight: factor of L_d; paper 1.
        beta: scale of the cosine similarity; paper 10.
        reduction: over the batch; the paper writes sum, its code takes the mean.
    """

    def __init__(
        self,
        embedding_dim: int,
        classes: int,
        *,
        matching: bool = True,
        distinctive: bool = True,
        distinctive_weight: float = 1.0,
        beta: float = 10.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.classifier = build_classifier(embedding_dim, classes) if distinctive else None
        self.matching = matching
        self.distinctive_weight, self.beta, self.reduction = distinctive_weight, beta, reduction

    def forward(self, speech: Tensor, image: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute every term and their weighted sum.

        Args:
            speech: (n, E) float32 of unit length, A.
            image: (n, E) float32 of unit length, V.
            labels: (n,) int64, class of every pair.

        Returns:
            Scalars: ``loss`` and, where asked for, ``matching`` and ``distinctive``, unweighted.
        """
        terms: dict[str, Tensor] = {}
        total = torch.zeros((), device=speech.device)
        if self.matching:
            terms["matching"] = matching_loss(speech, image, labels, self.beta, self.reduction)
            total = total + terms["matching"]
        if self.classifier is not None:
            terms["distinctive"] = distinctive_loss(
                self.classifier(speech), self.classifier(image), labels, self.reduction
            )
            total = total + self.distinctive_weight * terms["distinctive"]
        return {"loss": total, **terms}
