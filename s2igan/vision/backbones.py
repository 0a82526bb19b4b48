"""Pretrained networks by name, each with its own weights and input transform."""

import logging
from pathlib import Path

from torch import Tensor

from s2igan.errors import UserError
from s2igan.vision.attribute_networks import CompactNetwork, ReaderNetwork, split_logits
from s2igan.vision.inception import Inception
from s2igan.vision.interface import Backbone, BackboneOutput, own_resizing
from s2igan.vision.names import LAYERS, BackboneName, parse_backbone
from s2igan.vision.squeezenet import KerasSqueezeNet, TorchvisionSqueezeNet
from s2igan.vision.weight_files import find_weights, load_weights

logger = logging.getLogger(__name__)

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"

BACKBONES = tuple(network for network in LAYERS if network != "torch_fidelity")
"""Networks that :func:`load_backbone` knows."""


class AttributeBackbone(Backbone):
    """`compact` or `reader`: a network trained on drawings, with a classifier per attribute."""

    def __init__(self, name: str, network: CompactNetwork | ReaderNetwork) -> None:
        super().__init__(name, network.dimension, network.input_size)
        self.network = network

    @property
    def description(self) -> str:
        """Name, number of features and how pictures reach the network, as protocols quote them."""
        return f"{super().description}, other sizes {own_resizing(self.input_size)}"

    def look(self, images: Tensor) -> BackboneOutput:
        """See drawings, ``(N, 3, 64, 64)`` in [0, 1]."""
        features, logits = self.network(images * 2 - 1)
        return BackboneOutput(features, split_logits(logits))


def load_backbone(name: str, weights: Path) -> Backbone:
    """Load a frozen backbone, and tell in the log which layers its file lacks.

    Args:
        name: one of :data:`BACKBONES`, or one with layers, such as
            ``inception_v3/fid2015/Mixed_6e+Mixed_7a``.
        weights: folder of downloaded weight files; `compact` and `reader` come with the package.

    Raises:
        UserError: if the name is unknown, or the file is missing, broken or lacks a needed layer.
    """
    backbone = _build(_parse(name), weights)
    if backbone.missing:
        logger.warning("%s comes without %s", name, ", ".join(backbone.missing))
    return backbone.freeze()


def _parse(name: str) -> BackboneName:
    try:
        return parse_backbone(name, BACKBONES)
    except ValueError as error:
        raise UserError("backbone", got=repr(name), expected=str(error)) from error


def _build(name: BackboneName, weights: Path) -> Backbone:
    if name.network in ("compact", "reader"):
        network = CompactNetwork() if name.network == "compact" else ReaderNetwork()
        load_weights(network, SHIPPED_WEIGHTS / f"{name.network}.safetensors")
        return AttributeBackbone(name.network, network)
    file = find_weights(name.network, weights)
    if name.network == "squeezenet1_1/keras":
        return KerasSqueezeNet(file)
    if name.network == "squeezenet1_1/torchvision":
        return TorchvisionSqueezeNet(file)
    return Inception(name, file)
