"""The same networks and losses in plain float32 with nothing clever: what ours is compared with.

Layers as a textbook has them (the condition tiled beside the map, pictures upsampled before they
are convolved, torch's own GLU), contiguous memory, Adam and the average one tensor at a time, no
graph, batches made when they are needed.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine import kernels
from s2igan.engine.adam import Adam
from s2igan.engine.ema import Ema
from s2igan.rdg import layers, normed, step
from s2igan.rdg.generator import FIRST_SIDE, FirstStage
from s2igan.rdg.layers import ConditionedConv
from s2igan.rdg.networks import to_scales
from s2igan.vision.interface import Backbone, BackboneOutput


def make_plain() -> None:
    """Replace what is clever, in this process and for good."""
    replaced: list[tuple[Any, str, Any]] = [
        (normed, "glu", _glu),
        (kernels, "usable", _never),
        (layers, "upsampled_conv", _upsampled_conv),
        (ConditionedConv, "forward", _conditioned_conv),
        (FirstStage, "forward", _first_stage),
        (Backbone, "forward", _look),
        (Ema, "update", _follow),
        (step, "to_channels_last", _leave),
        (step, "to_scales", _contiguous_scales),
        (Adam, "__init__", _plain_adam),
    ]
    for owner, name, plain in replaced:
        setattr(owner, name, plain)


def _plain_adam(
    optimiser: Adam,
    parameters: Iterable[nn.Parameter],
    *,
    device: torch.device,  # noqa: ARG001 - its own kind of step is what is left out
    **settings: Any,
) -> None:
    torch.optim.Adam.__init__(optimiser, parameters, fused=False, foreach=False, **settings)


def _glu(x: Tensor) -> Tensor:
    return F.glu(x, dim=1)


def _never(*_: Any) -> bool:
    return False


def _upsampled_conv(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=1)


def _conditioned_conv(layer: ConditionedConv, x: Tensor, condition: Tensor) -> Tensor:
    tiled = condition[:, :, None, None].expand(-1, -1, *x.shape[-2:])
    return F.conv2d(torch.cat([tiled, x], dim=1), layer.weight, padding=1)


def _first_stage(stage: FirstStage, noise: Tensor, condition: Tensor) -> Tensor:
    hidden = _glu(stage.norm(stage.linear(torch.cat([condition, noise], dim=1))))
    out: Tensor = stage.up(hidden.view(len(hidden), -1, FIRST_SIDE, FIRST_SIDE))
    return out


def _look(backbone: Backbone, images: Tensor) -> BackboneOutput:
    backbone.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    size = (backbone.input_size, backbone.input_size)
    images = images.float()
    if images.shape[-2:] != size:
        images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
    return backbone.look(images.contiguous())


@torch.no_grad()
def _follow(average: Ema, module: nn.Module) -> None:
    for kept, value in zip(average.module.parameters(), module.parameters(), strict=True):
        kept.mul_(average.decay).add_(value * (1 - average.decay))
    for copied, buffer in zip(average.module.buffers(), module.buffers(), strict=True):
        copied.copy_(buffer)


def _leave(_module: nn.Module) -> None:
    """Leave the weights in the order that they were made in."""


def _contiguous_scales(pictures: Tensor, sizes: tuple[int, int, int]) -> list[Tensor]:
    return [scale.contiguous() for scale in to_scales(pictures, sizes)]
