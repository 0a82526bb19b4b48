"""A batch as one step of the RDG takes it: tensors where the networks are."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.device import sent
from s2igan.rdg.augment import Drawn, draw_transforms
from s2igan.rdg.batches import Batch
from s2igan.rdg.speech_source import Sequences
from s2igan.vision.device_pixels import Crops


@dataclass(frozen=True)
class Placed:
    """What :class:`Batch` holds, on the device; ``speech`` is embedded unless an encoder learns.

    Attributes:
        drawn: per set of pictures (generated, real, perhaps wrong) and per scale, what the random
            transforms draw.
    """

    real: Tensor
    wrong: Tensor | None
    labels: Tensor
    speech: Tensor | Sequences
    wrong_speech: Tensor | Sequences | None
    truth_seen: Tensor
    same_seen: Tensor
    wrong_seen: Tensor
    noise: Tensor
    condition_noise: Tensor
    drawn: list[list[Drawn]]

    def tensors(self) -> list[Tensor]:
        """Return all tensors in a fixed order, for :meth:`with_tensors`."""
        values = (getattr(self, field.name) for field in fields(self))
        own = [value for value in values if isinstance(value, Tensor)]
        return own + [t for part in self.drawn for scale in part for one in scale for t in one]

    def with_tensors(self, tensors: list[Tensor]) -> Self:
        """Return a batch of the same kind that consists of these tensors."""
        ahead = iter(tensors)
        named: dict[str, Any] = {
            field.name: next(ahead)
            for field in fields(self)
            if isinstance(getattr(self, field.name), Tensor)
        }
        drawn = [[[[next(ahead) for _ in one] for one in scale] for scale in p] for p in self.drawn]
        return replace(self, **named, drawn=drawn)


def place(
    batch: Batch,
    kinds: list[str],
    sizes: tuple[int, int, int],
    draws: torch.Generator,
    device: torch.device,
) -> Placed:
    """Send a batch, and what its random transforms draw, to ``device``.

    Args:
        batch: host arrays, or pictures that are cut on the device.
        kinds: random transforms.
        sizes: of the three scales, px.
        draws: of the CPU; generated, real and wrong pictures in this order, small scale first.
        device: where the networks are.
    """
    sets = 2 if batch.wrong is None else 3
    count = len(batch.labels)
    drawn = [[draw_transforms(kinds, count, size, draws) for size in sizes] for _ in range(sets)]
    return Placed(
        real=_pictures(batch.real, device),
        wrong=None if batch.wrong is None else _pictures(batch.wrong, device),
        labels=sent(batch.labels, device),
        speech=_speech(batch.speech, device),
        wrong_speech=None if batch.wrong_speech is None else _speech(batch.wrong_speech, device),
        truth_seen=sent(batch.truth_seen, device),
        same_seen=sent(batch.same_seen, device),
        wrong_seen=sent(batch.wrong_seen, device),
        noise=sent(batch.noise, device),
        condition_noise=sent(batch.condition_noise, device),
        drawn=[[[[sent(t.numpy(), device) for t in o] for o in s] for s in p] for p in drawn],
    )


def _pictures(pictures: npt.NDArray[Any] | Crops, device: torch.device) -> Tensor:
    return pictures.cut() if isinstance(pictures, Crops) else sent(pictures, device)


def _speech(speech: npt.NDArray[Any] | Sequences, device: torch.device) -> Tensor | Sequences:
    return speech if isinstance(speech, Sequences) else sent(speech, device)
