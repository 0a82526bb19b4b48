"""The losses of the RDG (paper §2.3.2 and §2.3.3, eqs. 8 to 12) and the KL term of F_ca.

All are means over the batch; the paper writes expectations, and eq. (8) for one picture.
"""

from torch import Tensor
from torch.nn import functional as F

POSITIVE, NEGATIVE, UNDESIRED = 0, 1, 2  # L1, L2, L3


def real_loss(logits: Tensor) -> Tensor:
    """−E[log D], the terms of eqs. (10) and (12) that want ``real``."""
    return F.softplus(-logits).mean()


def fake_loss(logits: Tensor) -> Tensor:
    """−E[log(1 − D)], the terms of eq. (12) that want ``fake``."""
    return F.softplus(logits).mean()


def discriminator_loss(
    real: tuple[Tensor, Tensor],
    fake: tuple[Tensor, Tensor],
    wrong: tuple[Tensor, Tensor | None] | None,
    uncond_weight: float,
) -> Tensor:
    """Eq. (12) for one scale.

    Args:
        real: conditional and unconditional logits ``(N,)`` of real pictures.
        fake: the same of generated pictures.
        wrong: the same of real pictures under a condition that is not theirs, or None; their
            unconditional logits may be None, since they are real pictures like any other.
            Note: eq. (12) has no such terms, the authors' code and StackGAN-v2 do.
        uncond_weight: weight of the unconditional terms (paper: 1).
    """
    conditional = real_loss(real[0]) + fake_loss(fake[0])
    unconditional = real_loss(real[1]) + fake_loss(fake[1])
    if wrong is not None:
        conditional = conditional + fake_loss(wrong[0])
        if wrong[1] is not None:
            unconditional = unconditional + real_loss(wrong[1])
    return conditional + uncond_weight * unconditional


def generator_loss(fake: tuple[Tensor, Tensor], uncond_weight: float) -> Tensor:
    """Eq. (10) for one scale, from the logits ``(N,)`` of generated pictures."""
    return real_loss(fake[0]) + uncond_weight * real_loss(fake[1])


def relation_loss(
    positive: Tensor, negative: Tensor, undesired: Tensor, generated: Tensor
) -> Tensor:
    """Eq. (8): the classifier's loss over four batches of logits ``(N, 3)``."""
    return (
        _cross_entropy(positive, POSITIVE)
        + _cross_entropy(negative, NEGATIVE)
        + _cross_entropy(undesired, UNDESIRED)
        + relation_generator_loss(generated)
    )


def relation_generator_loss(generated: Tensor) -> Tensor:
    """The last term of eq. (8), the only one of eq. (9)'s L_RS that reaches the generator."""
    return _cross_entropy(generated, POSITIVE)


def kl_loss(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, σ²) ‖ N(0, 1)) of ``(N, ca)``, mean over batch and dimensions.

    Note: absent from eqs. (9) and (10); the authors' code and StackGAN-v2 train with it.
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean()


def _cross_entropy(logits: Tensor, relation: int) -> Tensor:
    return F.cross_entropy(logits, logits.new_full((len(logits),), relation).long())
