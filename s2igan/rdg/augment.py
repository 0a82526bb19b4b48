"""The same random transforms for real and generated pictures before the discriminators.

Not in the paper: with a few thousand pictures the discriminators learn them by heart and the
generator collapses; transforms of both sides that the generator's gradient passes through prevent
it (Zhao et al., *Differentiable Augmentation for Data-Efficient GAN Training*, 2020).
Pictures are ``(N, 3, S, S)`` float32 in [-1, 1]; every picture draws its own transform.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from s2igan.engine.distributed import rank, world

SHIFT = 0.125  # largest translation, share of the side
HOLE = 0.4  # side of the cut-out square, share of the side
BRIGHTNESS = 0.3  # largest change, half of the range being 1
SATURATION = (0.6, 1.4)
CONTRAST = (0.7, 1.3)


def augment(images: Tensor, kinds: Sequence[str], generator: torch.Generator) -> Tensor:
    """Transform each picture at random, differentiably.

    Args:
        images: ``(N, 3, S, S)`` in [-1, 1].
        kinds: names out of :data:`TRANSFORMS`, applied in this order.
        generator: of the CPU, so that the draws do not depend on the device; it draws for the
            pictures of all processes, of which these are one's own.
    """
    for kind in kinds:
        images = TRANSFORMS[kind](images, generator)
    return images


def translation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by whole pixels up to :data:`SHIFT` of the side; grey comes in at the border."""
    count, _, height, width = images.shape
    rows = _shift_matrices(count, height, generator, images)  # (N, 1, H, H)
    columns = _shift_matrices(count, width, generator, images)
    # Products with 0/1 matrices: exact, and their gradient is no slow scatter.
    return rows @ images @ columns.mT


def cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """Grey out a square of :data:`HOLE` of the side, which may reach over the border."""
    count, _, height, width = images.shape
    inside_rows = _span(count, height, generator, images)[:, None, :, None]  # (N, 1, H, 1)
    inside_columns = _span(count, width, generator, images)[:, None, None, :]  # (N, 1, 1, W)
    return images * (1 - inside_rows * inside_columns)


def brightness(images: Tensor, generator: torch.Generator) -> Tensor:
    """Add one value to each picture."""
    return images + _uniform((-BRIGHTNESS, BRIGHTNESS), generator, images)


def saturation(images: Tensor, generator: torch.Generator) -> Tensor:
    """Scale each pixel's distance from its grey."""
    grey = images.mean(dim=1, keepdim=True)
    return grey + (images - grey) * _uniform(SATURATION, generator, images)


def contrast(images: Tensor, generator: torch.Generator) -> Tensor:
    """Scale each pixel's distance from its picture's mean."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(CONTRAST, generator, images)


TRANSFORMS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "translation": translation,
    "cutout": cutout,
    "brightness": brightness,
    "saturation": saturation,
    "contrast": contrast,
}


def _uniform(bounds: tuple[float, float], generator: torch.Generator, like: Tensor) -> Tensor:
    low, high = bounds
    drawn = torch.rand(len(like) * world(), 1, 1, 1, generator=generator)
    return (low + (high - low) * _own(drawn)).to(like.device)


def _shift_matrices(count: int, side: int, generator: torch.Generator, like: Tensor) -> Tensor:
    reach = max(1, round(SHIFT * side))
    shifts = torch.randint(-reach, reach + 1, (count * world(), 1, 1), generator=generator)
    places = torch.arange(side)
    matrices = places[None, :, None] == places[None, None, :] + _own(shifts)  # (N, side, side)
    return matrices[:, None].to(like.device, like.dtype)


def _span(count: int, side: int, generator: torch.Generator, like: Tensor) -> Tensor:
    length = max(1, round(HOLE * side))
    bounds = -length // 2, side - length // 2
    first = _own(torch.randint(*bounds, (count * world(), 1), generator=generator))
    places = torch.arange(side)
    return ((places >= first) & (places < first + length)).to(like.device, like.dtype)


def _own(drawn: Tensor) -> Tensor:
    return drawn.chunk(world())[rank()]
