"""Two small networks that read the attributes of a MiniBirds drawing, unlike in every layer.

`compact` feeds the image encoder and the relation supervisor: residual, strided, smooth activations
that pass a useful gradient to every pixel. `reader` judges what a generator draws: densely
connected, max-pooled, rectified, so that what fools the one need not fool the other.

Both take ``(N, 3, 64, 64)`` in [-1, 1] and pool to a vector from which one linear layer reads every
attribute. They are trained with batch normalisation and shipped with it folded into the weights.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from s2igan.corpora.attributes import VALUES

LOGITS = sum(len(values) for values in VALUES.values())
"""Width of the classifier: the values of all attributes, one after the other."""


def split_logits(logits: Tensor) -> dict[str, Tensor]:
    """Cut ``(N, LOGITS)`` into ``(N, values)`` per attribute, in the order of ``ATTRIBUTES``."""
    sizes = [len(values) for values in VALUES.values()]
    return dict(zip(VALUES, torch.split(logits, sizes, dim=1), strict=True))


class ConvUnit(nn.Module):
    """Convolution, batch normalisation while training, activation.

    Args:
        channels: of the input.
        filters: of the output.
        kernel: its side; the convolution is padded to keep the size but for the stride.
        stride: step of the kernel.
        activation: applied last.
        normalise: whether there is a batch normalisation, as in training.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        activation: Callable[[Tensor], Tensor],
        normalise: bool,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding=(kernel - stride + 1) // 2)
        self.norm = nn.BatchNorm2d(filters) if normalise else None
        self.activation = activation

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(N, channels, H, W)`` to ``(N, filters, H / stride, W / stride)``."""
        maps = self.conv(maps)
        return self.activation(maps if self.norm is None else self.norm(maps))

    def fold(self) -> None:
        """Write the batch normalisation's running statistics into the convolution."""
        if self.norm is not None:
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = None


class CompactNetwork(nn.Module):
    """Residual network with strided convolutions and SiLU.

    Args:
        normalise: whether batch normalisations stand behind the convolutions, as in training.
    """

    dimension = 192
    input_size = 64

    def __init__(self, normalise: bool = False) -> None:
        super().__init__()
        unit = partial(ConvUnit, activation=F.silu, normalise=normalise)
        self.stem = unit(3, 64, kernel=8, stride=4)
        self.same1 = unit(64, 64)
        self.down = unit(64, 128, kernel=4, stride=2)
        self.same2 = unit(128, 128)
        self.top = unit(128, self.dimension)
        self.classifier = nn.Linear(self.dimension, LOGITS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``(N, 192)`` and the logits of all attributes, ``(N, LOGITS)``."""
        maps = self.stem(images)  # (N, 64, 16, 16)
        maps = maps + self.same1(maps)
        maps = self.down(maps)  # (N, 128, 8, 8)
        maps = maps + self.same2(maps)
        features = self.top(maps).mean(dim=(2, 3))  # (N, 192)
        return features, self.classifier(features)


class ReaderNetwork(nn.Module):
    """Densely connected network with max pooling and ReLU.

    Args:
        normalise: whether batch normalisations stand behind the convolutions, as in training.
    """

    dimension = 96
    input_size = 64

    def __init__(self, normalise: bool = False) -> None:
        super().__init__()
        unit = partial(ConvUnit, activation=F.relu, normalise=normalise)
        self.stem = unit(3, 32, kernel=6, stride=2)
        self.fine = unit(32, 48)
        width = 48
        blocks = []
        for growth in (32, 48):
            blocks.append(nn.ModuleList(unit(width + growth * i, growth) for i in range(3)))
            width += 3 * growth
        self.blocks = nn.ModuleList(blocks)
        self.top = unit(width, self.dimension, kernel=1)
        self.classifier = nn.Linear(self.dimension, LOGITS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``(N, 96)`` and the logits of all attributes, ``(N, LOGITS)``."""
        maps = self.fine(self.stem(images))  # (N, 48, 32, 32)
        for block in self.blocks:
            maps = F.max_pool2d(maps, 2)  # 16 x 16, then 8 x 8
            assert isinstance(block, nn.ModuleList)
            for layer in block:
                maps = torch.cat([maps, layer(maps)], dim=1)
        features = self.top(maps).mean(dim=(2, 3))  # (N, 96)
        return features, self.classifier(features)


def fold_normalisation(network: nn.Module) -> None:
    """Fold every batch normalisation of a trained network into its convolution, in place."""
    for module in network.modules():
        if isinstance(module, ConvUnit):
            module.fold()
