"""SqueezeNet 1.1 (Iandola et al. 2016), as two projects trained it."""

from abc import abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput, own_resizing
from s2igan.vision.weight_files import load_weights


class SqueezeNet(Backbone):
    """torchvision's SqueezeNet 1.1; its last maps, averaged, are the features.

    Args:
        name: name and origin.
        weights: the file, with torchvision's names.
        input_size: side of the squares it was trained on, px.
        transform: what :meth:`transform` does, for protocols.
        may_lack: beginnings of the names that the file may leave out; without ``classifier.`` there
            are no logits.

    Raises:
        UserError: if the file is missing, broken or lacks another layer.
    """

    def __init__(
        self,
        name: str,
        weights: Path,
        *,
        input_size: int,
        transform: str,
        may_lack: tuple[str, ...] = (),
    ) -> None:
        # Loading torchvision takes seconds, and the other networks need none of it.
        from torchvision.models import squeezenet1_1

        network = squeezenet1_1(weights=None)
        missing = load_weights(network, weights, may_lack=may_lack)
        recipe = f"last maps averaged; {own_resizing(input_size)}; {transform}"
        super().__init__(name, 512, input_size, missing=missing, file=weights.name, recipe=recipe)
        self.trunk = network.features
        self.classifier = None if missing else network.classifier

    def look(self, images: Tensor) -> BackboneOutput:
        """See photographs, ``(N, 3, S, S)`` in [0, 1]."""
        maps = self.trunk(self.transform(images))  # (N, 512, S / 16, S / 16)
        features = maps.float().mean(dim=(2, 3))  # (N, 512)
        if self.classifier is None:
            return BackboneOutput(features, None)
        return BackboneOutput(features, {CLASSES: self.classifier(maps).flatten(1)})  # (N, 1000)

    @abstractmethod
    def transform(self, images: Tensor) -> Tensor:
        """Bring pictures in [0, 1] into the range and order of channels of the training."""


class KerasSqueezeNet(SqueezeNet):
    """As DeepCognition's keras-squeezenet trained it: BGR minus the channel mean."""

    mean: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__(
            "squeezenet1_1/keras",
            weights,
            input_size=227,
            transform="BGR 0 to 255 minus the channel mean",
            may_lack=("classifier.",),
        )
        mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)

    def transform(self, images: Tensor) -> Tensor:
        """Turn RGB in [0, 1] into BGR in 0 to 255 minus the mean of ImageNet."""
        return images.flip(1) * 255 - self.mean


class TorchvisionSqueezeNet(SqueezeNet):
    """As torchvision trained it (``IMAGENET1K_V1``): standardised RGB."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__(
            "squeezenet1_1/torchvision",
            weights,
            input_size=224,
            transform="RGB standardised by ImageNet's mean and deviation",
        )
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def transform(self, images: Tensor) -> Tensor:
        """Standardise RGB in [0, 1] per channel."""
        return (images - self.mean) / self.std
