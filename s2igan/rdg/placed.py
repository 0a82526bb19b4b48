"""A batch as one step of the RDG takes it: tensors where the networks are."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.device import sent
from s2igan.rdg.augment import Drawn, draw_transforms
from s2igan.rdg.batches import Batch
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.speech_source import Sequences
from s2igan.vision.device_pixels import Crops


@dataclass(frozen=True)
class Placed:
    """What a step takes of a batch, on the device; ``speech`` is embedded unless an encoder learns.

    Attributes:
        wrong: None unless ``rdg.wrong_pairs`` is ``pictures``.
        wrong_speech: None unless it is ``speech``.
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
    config: RdgConfig,
    sizes: tuple[int, int, int],
    draws: torch.Generator,
    device: torch.device,
) -> Placed:
    """Send what ``config`` wants of a batch, and what random transforms draw, to ``device``.

    Args:
        batch: host arrays, or pictures that are cut on the device.
        config: the section ``rdg``; its transforms and mismatched pairs are read.
        sizes: of the three scales, px.
        draws: of the CPU; generated, real and wrong pictures in this order, small scale first.
        device: where the networks are.

    Raises:
        ValueError: if the batch lacks the mismatched pairs of ``config``, or its pictures are not
            as :class:`Batch` says.
    """
    pairs, kinds, count = config.wrong_pairs, list(config.augment), len(batch.labels)
    wrong = batch.wrong if pairs == "pictures" else None
    wrong_speech = batch.wrong_speech if pairs == "speech" else None
    if pairs != "none" and wrong is None and wrong_speech is None:
        name = {"pictures": "wrong", "speech": "wrong_speech"}[pairs]
        raise ValueError(f"rdg.wrong_pairs is {pairs!r}, but `{name}` of the batch is None")
    sets = 2 if wrong is None else 3
    drawn = [[draw_transforms(kinds, count, size, draws) for size in sizes] for _ in range(sets)]
    return Placed(
        real=_pictures(batch.real, "real", count, device),
        wrong=None if wrong is None else _pictures(wrong, "wrong", count, device),
        labels=sent(batch.labels, device),
        speech=_speech(batch.speech, device),
        wrong_speech=None if wrong_speech is None else _speech(wrong_speech, device),
        truth_seen=sent(batch.truth_seen, device),
        same_seen=sent(batch.same_seen, device),
        wrong_seen=sent(batch.wrong_seen, device),
        noise=sent(batch.noise, device),
        condition_noise=sent(batch.condition_noise, device),
        drawn=[[[[sent(t.numpy(), device) for t in o] for o in s] for s in p] for p in drawn],
    )


def _pictures(
    pictures: npt.NDArray[Any] | Crops, name: str, count: int, device: torch.device
) -> Tensor:
    if isinstance(pictures, Crops):
        return pictures.cut()
    # Any other numbers would be taken for levels of 0 to 255: those of [0, 1] are all black.
    dtype, shape = pictures.dtype, tuple(pictures.shape)
    if dtype != np.uint8 or shape != (count, *2 * shape[1:2], 3):
        raise ValueError(
            f"`{name}` of the batch holds {dtype} {shape}, not uint8 ({count}, side, side, 3)"
        )
    return sent(pictures, device)


def _speech(speech: npt.NDArray[Any] | Sequences, device: torch.device) -> Tensor | Sequences:
    return speech if isinstance(speech, Sequences) else sent(speech, device)
