"""What a batch of drawings may suffer while an attribute reader learns.

Crops and flips are those of the pipeline. Lost resolution, blur, noise and tint are what generated
pictures show more of than drawings do; a network that has met them keeps reading.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from s2igan.vision.interface import as_images


def random_crops(
    drawings: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.integer],
    side: int,
    rng: np.random.Generator,
) -> Tensor:
    """Crop and flip at random: ``(N, 3, side, side)`` float in [0, 1], channels last in memory."""
    leeway = drawings.shape[1] - side
    corners = rng.integers(0, leeway, size=(len(rows), 2), endpoint=True)
    batch = np.empty((len(rows), side, side, 3), np.uint8)
    for place, row, (top, left), flip in zip(
        batch, rows, corners, rng.random(len(rows)) < 0.5, strict=True
    ):
        window = drawings[row, top : top + side, left : left + side]
        place[:] = window[:, ::-1] if flip else window
    return as_images(batch)


def through_resolution(images: Tensor, side: int) -> Tensor:
    """Send images through ``side`` by ``side`` pixels and back, bilinear and antialiased."""
    small = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, images.shape[-2:], mode="bilinear")


def degrade(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Take resolution, sharpness and cleanness from shares of a batch in [0, 1].

    A third goes through 20 to 56 px, a sixth is blurred by a 3x3 mean, all get a tint of a few
    percent, and half get noise of up to 0.08.
    """
    shares = np.split(rng.permutation(len(images)), [len(images) // 3, len(images) // 2])
    images = images.clone()
    images[shares[0]] = through_resolution(images[shares[0]], int(rng.integers(20, 57)))
    images[shares[1]] = F.avg_pool2d(images[shares[1]], 3, 1, 1, count_include_pad=False)
    gain = 1 + rng.uniform(-0.08, 0.08, (len(images), 1, 1, 1))
    gain = gain + rng.uniform(-0.03, 0.03, (len(images), 3, 1, 1))
    images *= torch.from_numpy(gain).float()
    strength = np.maximum(rng.uniform(-0.08, 0.08, (len(images), 1, 1, 1)), 0)
    noise = rng.standard_normal(images.shape, np.float32)
    images += torch.from_numpy(strength).float() * torch.from_numpy(noise)
    return images.clamp_(0, 1)
