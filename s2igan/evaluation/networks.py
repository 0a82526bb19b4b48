"""The networks that judge: every backbone, and torch-fidelity's own Inception for IS and FID."""

from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from s2igan.errors import UserError
from s2igan.vision.backbones import load_backbone
from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput
from s2igan.vision.names import LAYERS, BackboneName, parse_backbone
from s2igan.vision.weight_files import find_weights, read_tensors

LIBRARY = "torch_fidelity"

_LOGITS = "logits_unbiased"


class LibraryInception(Backbone):
    """torch-fidelity's extractor as it stands, so that figures compare with published ones.

    It takes whole numbers of 0 to 255, resizes them as TensorFlow 1 did, and computes in float32
    whatever the precision around it; no gradient passes. The logits are those without bias, which
    the inception score is taken from.

    Args:
        name: of the network ``torch_fidelity``, with the layers that are the features.
        weights: the file as the library publishes it.

    Raises:
        UserError: if the file is missing, broken, or not of this network.
    """

    def __init__(self, name: BackboneName, weights: Path) -> None:
        super().__init__(
            f"{name.network}/{'+'.join(name.layers)}",
            sum(LAYERS[name.network][layer] for layer in name.layers),
            FeatureExtractorInceptionV3.INPUT_IMAGE_SIZE,
            file=weights.name,
            recipe="torch-fidelity's inception-v3-compat with its TensorFlow 1 bilinear resizing "
            "to 299 px; logits without bias",
        )
        read_tensors(weights)  # the library unpickles anything; what passes here is tensors alone
        try:
            self.extractor = FeatureExtractorInceptionV3(
                "inception-v3-compat",
                [*name.layers, _LOGITS],
                feature_extractor_weights_path=str(weights),
            )
        except RuntimeError as error:
            raise UserError(
                f"weights {weights.name!r}", got="other layers", expected="those of torch-fidelity"
            ) from error

    def forward(self, images: Tensor) -> BackboneOutput:
        """Look at pictures of any size, ``(N, 3, H, W)`` in [0, 1], without resizing them first."""
        return self.look(images)

    def look(self, images: Tensor) -> BackboneOutput:
        """See pictures, ``(N, 3, H, W)`` in [0, 1], rounded to 255ths."""
        pixels = (images.float() * 255).round().clamp(0, 255).to(torch.uint8)
        with torch.autocast(images.device.type, enabled=False):
            *layers, logits = self.extractor(pixels)
        return BackboneOutput(torch.cat(layers, dim=1), {CLASSES: logits})


def load_judge(name: str, weights: Path) -> Backbone:
    """Load any network that may judge, frozen.

    Args:
        name: of a backbone, or ``torch_fidelity/2048`` and the like.
        weights: folder of downloaded weight files.

    Raises:
        UserError: if the name is unknown, or the file is missing, broken or lacks a needed layer.
    """
    if name.partition("/")[0] != LIBRARY:
        return load_backbone(name, weights)
    return LibraryInception(parse_backbone(name), find_weights(LIBRARY, weights)).freeze()
