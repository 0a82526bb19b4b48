"""The same random transforms for real and generated pictures before the discriminators.

Not in the paper: with a few thousand pictures the discriminators learn them by heart and the
generator collapses; transforms of both sides that the generator's gradient passes through prevent
it (Zhao et al., *Differentiable Augmentation for Data-Efficient GAN Training*, 2020). Translation
is as strong as theirs, the others are weaker: they change brightness by up to 0.5, saturation by 0
to 2 times, contrast by 0.5 to 1.5, and cut squares of half of the side.
Pictures are ``(N, 3, S, S)`` float32 in [-1, 1]; every picture draws its own transform.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from s2igan.engine.distributed import rank, world

SHIFT = 0.125  # largest translation, share of the side
HOLE = 0.4  # side of the cut-out square, share of the side
BRIGHTNESS = 0.3  # largest change, half of the range being 1
SATURATION = (0.6, 1.4)
CONTRAST = (0.7, 1.3)

Drawn = list[list[Tensor]]
"""Per transform what it draws, small tensors of the CPU or wherever the pictures are."""


def draw_transforms(
    kinds: Sequence[str], count: int, side: int, generator: torch.Generator
) -> Drawn:
    """Draw what :func:`transform` needs, so that pictures on a GPU wait for nothing.

    Args:
        kinds: names out of :data:`TRANSFORMS`, in the order in which they are applied.
        count: N pictures of this process.
        side: S, px.
        generator: of the CPU, so that the draws do not depend on the device; it draws for the
            pictures of all processes, of which these are one's own.
    """
    return [TRANSFORMS[kind].draw(count, side, generator) for kind in kinds]


def transform(images: Tensor, kinds: Sequence[str], drawn: Drawn) -> Tensor:
    """Transform ``(N, 3, S, S)`` pictures as drawn beforehand, differentiably."""
    for kind, numbers in zip(kinds, drawn, strict=True):
        images = TRANSFORMS[kind].apply(images, *(n.to(images.device) for n in numbers))
    return images


class Transform(NamedTuple):
    """``draw`` takes N, S and a generator of the CPU, ``apply`` pictures and what is drawn."""

    draw: Callable[[int, int, torch.Generator], list[Tensor]]
    apply: Callable[..., Tensor]


def translation(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift by whole pixels up to :data:`SHIFT` of the side; grey comes in at the border."""
    # Products with 0/1 matrices: exact, and their gradient is no slow scatter.
    return _shift_matrices(down, images) @ images @ _shift_matrices(right, images).mT


def cutout(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Grey out a square of :data:`HOLE` of the side, which may reach over the border."""
    inside_rows = _span(top, images)[:, None, :, None]  # (N, 1, H, 1)
    inside_columns = _span(left, images)[:, None, None, :]  # (N, 1, 1, W)
    return images * (1 - inside_rows * inside_columns)


def brightness(images: Tensor, added: Tensor) -> Tensor:
    """Add one value to each picture."""
    return images + added


def saturation(images: Tensor, scale: Tensor) -> Tensor:
    """Scale each pixel's distance from its grey."""
    grey = images.mean(dim=1, keepdim=True)
    return grey + (images - grey) * scale


def contrast(images: Tensor, scale: Tensor) -> Tensor:
    """Scale each pixel's distance from its picture's mean."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * scale


def _draw_shifts(count: int, side: int, generator: torch.Generator) -> list[Tensor]:
    reach = max(1, round(SHIFT * side))
    bounds, shape = (-reach, reach + 1), (count * world(), 1, 1)
    return [_own(torch.randint(*bounds, shape, generator=generator)) for _ in range(2)]


def _draw_holes(count: int, side: int, generator: torch.Generator) -> list[Tensor]:
    bounds = -_hole(side) // 2, side - _hole(side) // 2
    shape = count * world(), 1
    return [_own(torch.randint(*bounds, shape, generator=generator)) for _ in range(2)]


def _uniform(low: float, high: float) -> Callable[[int, int, torch.Generator], list[Tensor]]:
    def draw(count: int, _side: int, generator: torch.Generator) -> list[Tensor]:
        drawn = torch.rand(count * world(), 1, 1, 1, generator=generator)
        return [low + (high - low) * _own(drawn)]

    return draw


TRANSFORMS = {
    "translation": Transform(_draw_shifts, translation),
    "cutout": Transform(_draw_holes, cutout),
    "brightness": Transform(_uniform(-BRIGHTNESS, BRIGHTNESS), brightness),
    "saturation": Transform(_uniform(*SATURATION), saturation),
    "contrast": Transform(_uniform(*CONTRAST), contrast),
}


def _own(drawn: Tensor) -> Tensor:
    return drawn.chunk(world())[rank()]


def _hole(side: int) -> int:
    return max(1, round(HOLE * side))


def _shift_matrices(shifts: Tensor, images: Tensor) -> Tensor:
    places = torch.arange(images.shape[-1], device=images.device)
    matrices = places[None, :, None] == places[None, None, :] + shifts  # (N, side, side)
    return matrices[:, None].to(images.dtype)


def _span(first: Tensor, images: Tensor) -> Tensor:
    side = images.shape[-1]
    places = torch.arange(side, device=images.device)
    return ((places >= first) & (places < first + _hole(side))).to(images.dtype)
