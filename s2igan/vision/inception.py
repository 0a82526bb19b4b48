"""Inception-v3 in two editions, seen at several depths in one pass.

`torchvision` is ``IMAGENET1K_V1``, the image encoder of the paper's code; `fid2015` is the
TensorFlow graph of 2015-12-05 that IS and FID are defined by. The graph leaves the padding out when
it averages, takes a maximum in the pool branch of Mixed_7c where the paper averages, and has 1008
classes, the first and the last few of which mean nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from s2igan.vision.inception_layers import build_trunk, chain
from s2igan.vision.inception_weights import fold_batch_norm, name_layers, published_name
from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput, own_resizing
from s2igan.vision.names import LAYERS, BackboneName
from s2igan.vision.weight_files import read_tensors, refuse_missing, refuse_strange

INPUT_SIZE = 299

_LAST_BLOCK = "Mixed_7c"


@dataclass(frozen=True)
class Edition:
    """What one set of weights wants of the structure.

    Args:
        scale: pictures in [0, 1] times this, minus 1, are the input.
        transform: the same in words.
        average: pools 3 x 3 neighbourhoods, in all mixed blocks but the last.
        last_pool: the same in Mixed_7c.
        classes: K, outputs of the classifier.
        bias: whether the classifier's bias counts.
        ignored: beginnings and ends of names that a file may hold for other purposes.
    """

    scale: float
    transform: str
    average: Callable[[], nn.Module]
    last_pool: Callable[[], nn.Module]
    classes: int
    bias: bool
    ignored: tuple[str, ...]


_average = partial(nn.AvgPool2d, 3, stride=1, padding=1)
_average_of_picture = partial(_average, count_include_pad=False)
_maximum = partial(nn.MaxPool2d, 3, stride=1, padding=1)

EDITIONS = {
    # torchvision's network undoes the ImageNet standardisation of its own transform, which leaves
    # 2 x - 1; the paper's code feeds the same range, with mean and deviation of 0.5.
    "inception_v3/torchvision": Edition(
        scale=2.0,
        transform="input 2 x - 1 of RGB in [0, 1]",
        average=_average,
        last_pool=_average,
        classes=1000,
        bias=True,
        ignored=("AuxLogits.", ".num_batches_tracked"),
    ),
    # The inception score is taken from this classifier without its bias.
    "inception_v3/fid2015": Edition(
        scale=255 / 128,
        transform="input (x - 128) / 128 of RGB in 0 to 255",
        average=_average_of_picture,
        last_pool=_maximum,
        classes=1008,
        bias=False,
        ignored=("fc.bias", ".num_batches_tracked"),
    ),
}


class Inception(Backbone):
    """Features of chosen layers, each averaged over the picture, joined in the order named.

    Args:
        name: network and layers; the pass ends behind the deepest.
        weights: a file of the network with torchvision's names; the blocks behind the deepest
            layer, and the classifier, may be missing.

    Raises:
        UserError: if the file is missing or broken, lacks a layer that is needed, or holds one that
            the network does not have.
    """

    def __init__(self, name: BackboneName, weights: Path) -> None:
        edition = EDITIONS[name.network]
        trunk, classifier, missing = _load(name, edition, weights)
        layers = " + ".join(name.layers)
        super().__init__(
            str(name),
            sum(LAYERS[name.network][layer] for layer in name.layers),
            INPUT_SIZE,
            missing=missing,
            file=weights.name,
            recipe=f"{layers} averaged; {own_resizing(INPUT_SIZE)}; {edition.transform}",
        )
        self.scale = edition.scale
        self.blocks = [_block(layer) for layer in name.layers]
        self.trunk = trunk
        self.classifier = classifier

    def look(self, images: Tensor) -> BackboneOutput:
        """See photographs, ``(N, 3, 299, 299)`` in [0, 1]."""
        maps = images * self.scale - 1
        averages: dict[str, Tensor] = {}
        for block, layer in self.trunk.named_children():
            maps = layer(maps)
            if block in self.blocks:
                averages[block] = maps.float().mean(dim=(2, 3))  # (N, channels)
        features = torch.cat([averages[block] for block in self.blocks], dim=1)  # (N, D)
        if self.classifier is None:
            return BackboneOutput(features, None)
        return BackboneOutput(features, {CLASSES: self.classifier(averages[_LAST_BLOCK])})


def _load(
    name: BackboneName, edition: Edition, path: Path
) -> tuple[nn.Sequential, nn.Linear | None, tuple[str, ...]]:
    """Return the chain down to the deepest layer, the classifier behind it and what is missing."""
    with torch.device("meta"):  # shapes alone; the values are those of the file
        trunk = build_trunk(edition.average, edition.last_pool)
        fc = nn.Linear(2048, edition.classes, bias=edition.bias)
    network = nn.ModuleDict({"trunk": trunk, "fc": fc})
    own = {published_name(key): key for key in network.state_dict()}
    tensors = fold_batch_norm(read_tensors(path), edition.ignored)
    missing = name_layers([key for key in own if key not in tensors], tensors)
    blocks = list(dict(trunk.named_children()))
    depth = 1 + max(blocks.index(_block(layer)) for layer in name.layers)
    may_lack = {*blocks[depth:], "fc"}
    refuse_missing(
        path,
        [layer for layer in missing if layer.partition(".")[0] not in may_lack],
        expected=f"every layer of {name.network} down to {blocks[depth - 1]}",
    )
    shapes = network.state_dict()
    refuse_strange(path, tensors, {held: shapes[key].shape for held, key in own.items()})
    values = {own[key]: value for key, value in tensors.items()}
    network.load_state_dict(values, strict=False, assign=True)
    reached = depth == len(blocks) and "fc" not in missing
    seen = chain(**dict(islice(trunk.named_children(), depth)))
    return seen, fc if reached else None, missing


def _block(layer: str) -> str:
    return _LAST_BLOCK if layer == "pool" else layer
