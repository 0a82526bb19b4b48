"""How the relation supervisor learns, and what the generator hears from it (paper §2.3.2).

Pictures come as image embeddings of the SEN, as in the authors' code.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from s2igan.engine.adam import Adam
from s2igan.engine.distributed import average_gradients, spread_from_first
from s2igan.rdg import losses
from s2igan.rdg.relation import RelationSupervisor

ImageEmbedding = Callable[[Tensor], Tensor]


class Supervision:
    """The relation supervisor and its optimiser.

    Args:
        embedding_dim: E.
        lr: Adam's rate.
        betas: Adam's decay rates.
        device: where to compute.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        lr: float,
        betas: Sequence[float],
        device: torch.device,
    ) -> None:
        self.relation = RelationSupervisor(embedding_dim).to(device)
        spread_from_first(self.relation)
        self._adam = Adam(self.relation.parameters(), lr=lr, betas=betas, device=device)

    def update(
        self, fake: Tensor, truth: Tensor, same: Tensor, wrong: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update the supervisor by eq. (8).

        Args:
            fake: ``(N, E)`` image embeddings of the generated pictures of the last scale.
            truth: ``(N, E)`` image embeddings of the ground truth.
            same: ``(N, E)``, another real picture of the same class.
            wrong: ``(N, E)``, a real picture of another class.

        Returns:
            The supervisor's loss, detached, and the generator's loss after the update, whose
            gradient reaches ``fake``.
        """
        self.relation.requires_grad_(True)
        loss = losses.relation_loss(*self.relation(truth, same, wrong, fake.detach()))
        self._adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        average_gradients(self.relation.parameters())
        self._adam.step()
        self.relation.requires_grad_(False)
        relations = self.relation(truth, same, wrong, fake)
        return loss.detach(), losses.relation_generator_loss(relations.generated)

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        return {"relation": self.relation.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.relation.load_state_dict(state["relation"])
        self._adam.load_state_dict(state["adam"])
