"""The class-aware loss of direct speech-to-image translation, the paper's [12].

Part of the generator's loss there: generated pictures of one class shall look more alike to a
discriminator than generated pictures do on average. As in its public code, likeness is the inner
product of the discriminator's last feature maps, the hinge is at zero, and the difference is
divided by the number of features; the code adds the term of every scale with weight 1, whatever its
configuration says.

Note: there, the mean over all pairs holds each picture beside itself, which the mean over pairs of
one class leaves out; so it is here. A batch without two pictures of one class adds nothing.
"""

import torch
from torch import Tensor

from s2igan.engine.device import full_precision


def class_aware_loss(features: Tensor, labels: Tensor) -> Tensor:
    """Return max(0, E[x_i · x_j] − E[x_i · x_j | i ≠ j of one class]) / F.

    Args:
        features: ``(N, ...)`` of generated pictures, F values each.
        labels: ``(N,)`` int64, classes.
    """
    rows = full_precision(features.flatten(1))  # (N, F)
    with torch.autocast(rows.device.type, enabled=False):
        likeness = rows @ rows.T  # (N, N)
    pairs = labels[:, None] == labels
    pairs.fill_diagonal_(False)
    count = pairs.sum()
    within = (likeness * pairs).sum() / count.clamp(min=1)
    gap = (likeness.mean() - within) * (count > 0)
    return gap.clamp(min=0) / rows.shape[1]
