"""From a published picture to squares: bounding box, resize, crop and flip.

The geometry of the authors' code: a square 1.5 times as large as the bounding box, the shorter side
resized to 304 px, a random or centred crop of 256 px, a flip in half of the cases. Downscaling is
Pillow's antialiased bicubic filter everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from s2igan.engine.pictures import Picture

RESAMPLING = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class View:
    """One square look at a picture.

    Args:
        across: where the square lies between the left (0) and the right end (1) of its leeway.
        down: the same from top (0) to bottom (1).
        flip: whether left and right are exchanged.
    """

    across: float
    down: float
    flip: bool


CENTRE = View(across=0.5, down=0.5, flip=False)


def draw_views(count: int, seed: int, index: int) -> list[View]:
    """Draw ``count`` random views of picture ``index``, independent of any other picture."""
    rng = np.random.default_rng((seed, index))
    return [
        View(across=float(rng.random()), down=float(rng.random()), flip=bool(rng.random() < 0.5))
        for _ in range(count)
    ]


def crop_box(picture: Picture, box: Sequence[float] | None, scale: float) -> Picture:
    """Cut the square around a bounding box, clipped at the picture's edges.

    Args:
        picture: ``(H, W, 3)`` uint8.
        box: x, y, width and height in pixels, or None for the whole picture.
        scale: side of the square in longer sides of the box (released 1.5: r = 0.75 max(w, h)).

    Returns:
        ``(h, w, 3)`` uint8, a view of ``picture`` with at least one pixel.
    """
    if box is None:
        return picture
    height, width = picture.shape[:2]
    x, y, box_width, box_height = (float(value) for value in box)
    radius = max(1, int(scale / 2 * max(box_width, box_height)))
    centre_x = min(max(int(x + box_width / 2), 0), width - 1)
    centre_y = min(max(int(y + box_height / 2), 0), height - 1)
    return picture[
        max(0, centre_y - radius) : centre_y + radius, max(0, centre_x - radius) : centre_x + radius
    ]


def resize_shorter_side(picture: Picture, side: int) -> Picture:
    """Resize ``(H, W, 3)`` uint8 so that its shorter side measures ``side`` pixels."""
    height, width = picture.shape[:2]
    shorter = min(height, width)
    size = (max(side, round(width * side / shorter)), max(side, round(height * side / shorter)))
    if size == (width, height):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, RESAMPLING))


def square_view(picture: Picture, view: View, share: float, size: int) -> Picture:
    """Look at a square of a picture through ``size`` by ``size`` pixels.

    Resize and crop are one resampling of the picture's own pixels, so a backbone of 227 px sees
    full detail even where pictures are packed at 76 px for a small generator.

    Args:
        picture: ``(H, W, 3)`` uint8, cut to its box already.
        view: where the square lies.
        share: side of the square as a share of the shorter side (256 / 304 in their code).
        size: side of the result, pixels.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    height, width = picture.shape[:2]
    side = share * min(height, width)
    left, top = (width - side) * view.across, (height - side) * view.down
    box = (left, top, min(left + side, width), min(top + side, height))
    square = np.asarray(Image.fromarray(picture).resize((size, size), RESAMPLING, box=box))
    return square[:, ::-1] if view.flip else square
