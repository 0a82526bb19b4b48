"""Pretrained networks behind one interface: pictures in, pooled features and logits out.

A backbone is frozen once it is loaded, stays in evaluation mode, carries its own input transform
and lets gradients through to the pictures, so that the relation supervisor can teach a generator
through it.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = "classes"
"""Key of the logits of a network with one classifier, that of the ImageNet classes."""


def as_images(pictures: npt.NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """Turn ``(N, S, S, 3)`` uint8 into ``(N, 3, S, S)`` float32 in [0, 1], as backbones take them.

    Channels stay last in memory.
    """
    return torch.from_numpy(pictures).to(device=device).permute(0, 3, 1, 2).float() / 255


class BackboneOutput(NamedTuple):
    """What a backbone sees.

    Attributes:
        features: ``(N, D)`` float, averaged over the picture; under autocast perhaps bfloat16.
        logits: ``(N, K)`` per classifier: one per attribute, in the order of ``ATTRIBUTES``, of a
            network that reads drawings; one under :data:`CLASSES` of an ImageNet network whose
            weights hold its classifier and whose forward pass reaches it; else None.
    """

    features: Tensor
    logits: dict[str, Tensor] | None


class Backbone(nn.Module, ABC):
    """A network with its input transform; what builds one ends with :meth:`freeze`.

    Args:
        name: its name and origin.
        dimension: D, number of features.
        input_size: side of the squares that the network was trained on, pixels.
        missing: layers for which the weight file has no values.
        file: name of the weight file; None where the weights come with the package.
        recipe: which layers are taken and how pictures are transformed, for protocols.
    """

    def __init__(
        self,
        name: str,
        dimension: int,
        input_size: int,
        *,
        missing: tuple[str, ...] = (),
        file: str | None = None,
        recipe: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.dimension = dimension
        self.input_size = input_size
        self.missing = missing
        self.file = file
        self.recipe = recipe

    @property
    def description(self) -> str:
        """Name, number of features, weight file and recipe, as protocols quote them."""
        parts = [f"{self.name}, {self.dimension} features", self.recipe]
        parts += [f"weights {self.file}" if self.file else None]
        return "; ".join(part for part in parts if part)

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - the signature is nn.Module's
        """Stay in evaluation mode, whatever module this one is part of."""
        return super().train(False)

    def forward(self, images: Tensor) -> BackboneOutput:
        """Look at pictures.

        Args:
            images: ``(N, 3, H, W)`` float RGB in [0, 1], any square size.

        Raises:
            ValueError: if they are no floats: levels of 0 to 255 would be taken for [0, 1].
        """
        if not images.is_floating_point():
            raise ValueError(f"pictures are {images.dtype}, expected floats in [0, 1]")
        size = (self.input_size, self.input_size)
        images = images.float()
        if images.shape[-2:] != size:
            images = F.interpolate(
                images, size, mode="bilinear", align_corners=False, antialias=True
            )
        return self.look(images.contiguous(memory_format=torch.channels_last))

    @abstractmethod
    def look(self, images: Tensor) -> BackboneOutput:
        """Transform and see pictures of the network's own size, ``(N, 3, S, S)`` in [0, 1]."""

    def freeze(self) -> Self:
        """Fix the parameters, in evaluation mode and the memory layout of fast convolutions."""
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.eval()


def own_resizing(size: int) -> str:
    """Say how :meth:`Backbone.forward` brings pictures to ``size`` pixels."""
    return f"resized to {size} px, bilinear with antialiasing"
