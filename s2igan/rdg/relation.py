"""The relation supervisor RS (paper §2.3.2).

A pair of pictures becomes a relation vector, which is classified as positive (two pictures of one
class, L1), negative (two classes, L2) or undesired (one picture twice, L3). As in the authors' code
the pictures enter as image embeddings of the SEN and the classifier is one hidden layer.

Where a picture is the only one of its class, or pictures have no classes at all, the positive is
another view of it, as in the authors' code for Flickr8k. Note: that code drops L3 there; here it
stays, since two views of a picture and one view twice are still told apart.

Note: the code's classifier has a fourth output without a class; here it has three, as in the paper.
In the code every kind of pair passes the batch norm as a batch of its own, so its statistics tell
the relation and differ between the updates of RS and generator; here the four kinds of one step are
normalised as one batch in both updates.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.engine.sync_norm import SyncBatchNorm1d
from s2igan.rdg.layers import initialise

HIDDEN = 128


class Relations(NamedTuple):
    """Logits over (L1, L2, L3), each ``(N, 3)`` float32, of the ground truth beside …"""

    positive: Tensor  # … another real picture of its class
    negative: Tensor  # … a real picture of another class
    undesired: Tensor  # … itself
    generated: Tensor  # … the generated picture


class RelationSupervisor(nn.Module):
    """Pair of image embeddings → hidden layer → three logits.

    Args:
        embedding_dim: dimension of the image embeddings.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * embedding_dim, HIDDEN),
            SyncBatchNorm1d(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 3),
        )
        initialise(self)

    def forward(self, truth: Tensor, same: Tensor, wrong: Tensor, fake: Tensor) -> Relations:
        """Relate the ground truth to the other three and to itself.

        Args:
            truth: ``(N, E)`` image embeddings of the ground truth.
            same: ``(N, E)``, another real picture of the same class.
            wrong: ``(N, E)``, a real picture of another class.
            fake: ``(N, E)``, the generated picture.
        """
        others = torch.cat([same, wrong, truth, fake])  # (4N, E)
        pairs = torch.cat([truth.repeat(4, 1), others], dim=1)  # (4N, 2E)
        return Relations(*full_precision(self.layers(pairs)).chunk(4))
