"""Pretrained networks behind one interface: pictures in, pooled features and logits out.

A backbone is frozen, stays in evaluation mode, carries its own input transform and lets gradients
through to the pictures, so that the relation supervisor can teach a generator through it.
"""

import logging
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from s2igan.errors import UserError
from s2igan.vision.attribute_networks import CompactNetwork, ReaderNetwork, split_logits

logger = logging.getLogger(__name__)

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"

DOWNLOADED_FILES: dict[str, str] = {"squeezenet1_1/keras": "squeezenet1_1.notop.safetensors"}
"""File in ``artifacts/weights`` of every backbone that does not come with the package."""

BACKBONES = ("compact", "reader", *DOWNLOADED_FILES)


class BackboneOutput(NamedTuple):
    """What a backbone sees.

    Attributes:
        features: ``(N, D)``, pooled over the picture.
        logits: ``(N, K)`` per attribute, in the order of ``ATTRIBUTES``; None without classifier.
    """

    features: Tensor
    logits: dict[str, Tensor] | None


class Backbone(nn.Module, ABC):
    """A frozen network with its input transform.

    Args:
        name: its name and origin.
        dimension: D, number of features.
        input_size: side of the squares that the network was trained on, pixels.
        missing: layers for which the weight file has no values.
    """

    def __init__(
        self, name: str, dimension: int, input_size: int, missing: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.name = name
        self.dimension = dimension
        self.input_size = input_size
        self.missing = missing

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - the signature is nn.Module's
        """Stay in evaluation mode, whatever module this one is part of."""
        return super().train(False)

    def forward(self, images: Tensor) -> BackboneOutput:
        """Look at pictures.

        Args:
            images: ``(N, 3, H, W)`` float RGB in [0, 1], any square size.
        """
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
        """Fix the parameters and bring them into the memory layout of fast convolutions."""
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.eval()


class AttributeBackbone(Backbone):
    """`compact` or `reader`: a network trained on drawings, with a classifier per attribute."""

    def __init__(self, name: str, network: CompactNetwork | ReaderNetwork) -> None:
        super().__init__(name, network.dimension, network.input_size)
        self.network = network

    def look(self, images: Tensor) -> BackboneOutput:
        """See drawings, ``(N, 3, 64, 64)`` in [0, 1]."""
        features, logits = self.network(images * 2 - 1)
        return BackboneOutput(features, split_logits(logits))


class KerasSqueezeNet(Backbone):
    """SqueezeNet 1.1 as DeepCognition's keras-squeezenet trained it: BGR minus the channel mean."""

    mean: Tensor

    def __init__(self, weights: Path) -> None:
        network = squeezenet1_1(weights=None)
        missing = load_weights(network, weights, may_lack=("classifier.",))
        super().__init__("squeezenet1_1/keras", 512, 227, missing)
        self.trunk = network.features
        mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)

    def look(self, images: Tensor) -> BackboneOutput:
        """See photographs, ``(N, 3, 227, 227)`` in [0, 1]."""
        maps = self.trunk(images.flip(1) * 255 - self.mean)  # (N, 512, 14, 14)
        return BackboneOutput(maps.float().mean(dim=(2, 3)), None)


def load_backbone(name: str, weights: Path) -> Backbone:
    """Load a frozen backbone.

    Args:
        name: one of ``BACKBONES``.
        weights: folder of downloaded weight files; `compact` and `reader` come with the package.

    Raises:
        UserError: if the name is unknown, or the file is missing, broken or lacks a layer.
    """
    backbone: Backbone
    if name in ("compact", "reader"):
        network = CompactNetwork() if name == "compact" else ReaderNetwork()
        load_weights(network, SHIPPED_WEIGHTS / f"{name}.safetensors")
        backbone = AttributeBackbone(name, network)
    elif name == "squeezenet1_1/keras":
        backbone = KerasSqueezeNet(weights / DOWNLOADED_FILES[name])
    else:
        raise UserError("backbone", got=repr(name), expected="one of " + ", ".join(BACKBONES))
    if backbone.missing:
        logger.warning("%s comes without %s", name, ", ".join(backbone.missing))
    return backbone.freeze()


def load_weights(
    module: nn.Module, path: Path, *, may_lack: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Load a safetensors file into a module, naming every layer that it lacks.

    Args:
        module: gets the values, converted to its own dtype.
        path: the file.
        may_lack: beginnings of the names that the file may leave out.

    Returns:
        The names that the file leaves out.

    Raises:
        UserError: if the file is missing or broken, lacks any other layer, holds one that the
            network does not have, or one of another shape.
    """
    what = f"weights {path.name!r}"
    if not path.is_file():
        raise UserError(what, got=f"no file {str(path)!r}", fix="run `dvc repro download`")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise UserError(what, got=f"a broken file ({error})", fix="fetch it again") from error
    own = module.state_dict()
    missing = tuple(name for name in own if name not in tensors)
    refused = [name for name in missing if not name.startswith(may_lack or ("\0",))]
    if refused:
        raise UserError(what, got="no " + ", ".join(refused), expected="every layer")
    strange = [
        name for name, value in tensors.items() if name not in own or own[name].shape != value.shape
    ]
    if strange:
        raise UserError(what, got=", ".join(strange), expected="the layers of this network alone")
    module.load_state_dict(tensors, strict=False)
    return missing
