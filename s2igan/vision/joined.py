"""Several backbones as one: features standardised over the training pictures, then joined."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from s2igan.engine.tables import read_json
from s2igan.errors import unreadable_output
from s2igan.vision.backbones import load_backbone
from s2igan.vision.interface import Backbone


class JoinedBackbone(nn.Module):
    """Look at pictures through every backbone and standardise what they see.

    Args:
        backbones: in the order in which their features are joined.
        mean: ``(D,)`` of the training pictures' joined features.
        std: ``(D,)`` likewise.

    Attributes:
        names: of the backbones.
        dimension: D.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbones: list[Backbone], mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.backbones = nn.ModuleList(backbones)
        self.names = [backbone.name for backbone in backbones]
        self.dimension = len(mean)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(N, D)`` features of ``(N, 3, H, W)`` pictures in [0, 1], differentiably."""
        raw = torch.cat([seen(images).features.float() for seen in self.backbones], dim=1)
        return (raw - self.mean) / self.std


def load_joined(features: Path, weights: Path) -> JoinedBackbone:
    """Load the backbones that made ``backbone.npy`` of a features folder, standardised as it is.

    Raises:
        UserError: if a file is missing or broken.
    """
    names = read_json(features / "backbone.json", "features", names=list)["names"]
    path = features / "backbone.safetensors"
    backbones = [load_backbone(name, weights) for name in names]
    dimension = sum(backbone.dimension for backbone in backbones)
    try:
        statistics = load_file(path)
        joined = JoinedBackbone(backbones, statistics["mean"], statistics["std"])
    except (OSError, KeyError, SafetensorError) as error:
        raise unreadable_output(repr(str(path)), error, "features") from error
    if joined.mean.shape != (dimension,) or joined.std.shape != (dimension,):
        raise unreadable_output(repr(str(path)), "statistics of other backbones", "features")
    return joined
