"""A speech encoder that learns with the generator, end to end.

It runs in training mode, on batches with their own statistics of the batch norms, as the generator
does, and in float32: embeddings of a fresh encoder differ from each other by less than bfloat16
resolves. The generator's loss reaches it through F_ca alone: through what the pictures show and
through the condition under which the discriminators see them.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from s2igan.engine.adam import Adam
from s2igan.engine.distributed import average_gradients, spread_from_first
from s2igan.engine.ema import Ema
from s2igan.rdg.speech_source import Sequences
from s2igan.sen.encoder import DescriptionEncoder


class LearningEncoder:
    """The encoder, its optimiser and its average.

    Args:
        encoder: where it starts; is left as it is.
        lr: Adam's rate.
        betas: Adam's decay rates.
        ema_decay: of the averaged encoder, that of the averaged generator.
        device: where to compute.
    """

    def __init__(
        self,
        encoder: DescriptionEncoder,
        *,
        lr: float,
        betas: Sequence[float],
        ema_decay: float,
        device: torch.device,
    ) -> None:
        self.encoder = copy.deepcopy(encoder).to(device).requires_grad_(True).train()
        spread_from_first(self.encoder)
        self._ema = Ema(self.encoder, ema_decay)
        self._adam = Adam(self.encoder.parameters(), lr=lr, betas=betas, device=device)

    def __call__(self, speech: Sequences) -> Tensor:
        """Embed a batch's captions, ``(N, E)`` float32."""
        return embed_sequences(self.encoder, speech)

    def forget_gradient(self) -> None:
        """Let the gradient of the last step go."""
        self._adam.zero_grad(set_to_none=True)

    def update(self) -> None:
        """Follow the gradient that a loss has left, and let the average follow."""
        average_gradients(self.encoder.parameters())
        self._adam.step()
        self._ema.update(self.encoder)

    @property
    def averaged(self) -> DescriptionEncoder:
        """The average over the steps, with copied batch norm statistics."""
        return cast(DescriptionEncoder, self._ema.module)

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        return {
            "encoder": self.encoder.state_dict(),
            "ema": self._ema.state_dict(),
            "adam": self._adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.encoder.load_state_dict(state["encoder"])
        self._ema.load_state_dict(state["ema"])
        self._adam.load_state_dict(state["adam"])


def embed_sequences(encoder: DescriptionEncoder, speech: Sequences) -> Tensor:
    """Embed captions with ``encoder`` and mix them where ``speech`` says so.

    Returns:
        ``(N, E)`` float32 of unit length; a mixed one lies on the arc between two embeddings, and
        both get its gradient.
    """
    device = next(encoder.parameters()).device
    values = torch.from_numpy(speech.values).to(device, non_blocking=True)
    lengths = torch.from_numpy(speech.lengths).to(device, non_blocking=True)
    embedded = encoder(values, lengths)  # (M, E)
    if speech.partners is None or speech.shares is None:
        return embedded
    own = embedded[: len(speech.partners)]
    others = embedded[torch.from_numpy(speech.partners).to(device)]
    shares = torch.from_numpy(speech.shares).to(device)
    return F.normalize(own + shares * (others - own), dim=1)
