"""What worker processes do with a picture: decode, cut, resize. No PyTorch is loaded here."""

from dataclasses import dataclass

import numpy as np

from s2igan.engine.pictures import Picture, decode_picture
from s2igan.vision.crops import View, crop_box, resize_shorter_side, square_view


@dataclass(frozen=True)
class Geometry:
    """How every picture of a corpus is cut.

    Args:
        box_scale: side of the square around a box, in longer sides of the box.
        shorter_side: of the packed picture, pixels.
        share: side of a backbone's square as a share of the picture's shorter side.
        squares: input size of every backbone, pixels.
    """

    box_scale: float
    shorter_side: int
    share: float
    squares: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A picture to prepare.

    Args:
        data: its file.
        name: how errors name it.
        upright: whether it is turned as its camera noted.
        box: x, y, width and height in px of the picture so turned, or None.
        views: to take of it.
    """

    data: bytes
    name: str
    upright: bool
    box: tuple[float, ...] | None
    views: tuple[View, ...]


@dataclass(frozen=True)
class Prepared:
    """What came of a :class:`Source`.

    Attributes:
        pixels: ``(h, w, 3)`` uint8, to be packed.
        squares: per backbone ``(views, S, S, 3)`` uint8.
    """

    pixels: Picture
    squares: tuple[Picture, ...]


def prepare(geometry: Geometry, source: Source) -> Prepared:
    """Decode and cut one picture.

    Raises:
        UserError: if the file does not decode.
    """
    picture = decode_picture(source.data, source.name, upright=source.upright)
    picture = crop_box(picture, source.box, geometry.box_scale)
    squares = tuple(
        np.stack([square_view(picture, view, geometry.share, size) for view in source.views])
        for size in geometry.squares
    )
    return Prepared(resize_shorter_side(picture, geometry.shorter_side), squares)
