"""From attributes to a picture: one bird, posed, lit and scaled at random, somewhere outdoors."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from s2igan.corpora.minibirds.anatomy import LENGTH, Pose, Shape, bird, hips
from s2igan.corpora.minibirds.backgrounds import background
from s2igan.corpora.minibirds.geometry import Points
from s2igan.corpora.minibirds.perches import legs, perch
from s2igan.engine.pictures import Picture

Planes = npt.NDArray[np.float32]

_OVERSAMPLING = 3
_SHARE_OF_WIDTH: Final = {"small": (0.57, 0.61), "medium": (0.68, 0.72), "large": (0.80, 0.84)}
"""How much of the picture's width a bird's length takes, bill not counted; ranges lie apart."""
_MARGIN = 0.03


def draw(attributes: Mapping[str, str], rng: np.random.Generator, size: int = 256) -> Picture:
    """Draw one bird.

    Args:
        attributes: a value for each of :data:`s2igan.corpora.attributes.ATTRIBUTES`.
        rng: draws everything else: pose, facing, scale, place, light, perch and background. The
            same state gives the same pixels.
        size: width and height in pixels; geometry scales with it.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    pose = Pose.draw(attributes["size"], rng)
    shapes = bird(attributes, pose, rng)
    scale = rng.uniform(*_SHARE_OF_WIDTH[attributes["size"]]) / LENGTH
    feet = hips(pose) + np.array([(0.03, -0.20), (-0.01, -0.20)]) + rng.uniform(-0.02, 0.02, (2, 2))
    facing = 1.0 if rng.random() < 0.5 else -1.0
    place = _placement(shapes, feet, scale, facing, rng)
    layer = _paint([*perch(feet, rng), *legs(hips(pose), feet), *shapes], place, size)
    return _light(layer, background(rng, size), rng)


def encode(picture: Picture) -> bytes:
    """Encode a drawing as JPEG, quality 95 with full colour resolution."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=95, subsampling=0)
    return file.getvalue()


@dataclass(frozen=True)
class _Placement:
    # From the bird's units to shares of the picture, y down.
    scale: Points
    origin: Points

    def __call__(self, points: Points) -> Points:
        return points * self.scale + self.origin


def _placement(
    shapes: list[Shape], feet: Points, scale: float, facing: float, rng: np.random.Generator
) -> _Placement:
    axes = np.array([facing * scale, -scale])
    points = np.concatenate([*(shape.points for shape in shapes), feet]) * axes
    low, high = points.min(axis=0), points.max(axis=0)
    centre = 0.5 + rng.uniform(-0.06, 0.06, 2) - (low + high) / 2
    return _Placement(axes, np.clip(centre, _MARGIN - low, 1 - _MARGIN - high))


def _paint(shapes: list[Shape], place: _Placement, size: int) -> Planes:
    # Colour premultiplied with the coverage, then the coverage in 0..1.
    wide = size * _OVERSAMPLING
    # Four plain channels: Pillow takes "CMYK" through drawing and reduction without touching them.
    canvas = Image.new("CMYK", (wide, wide), (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    inks = np.clip([shape.colour + 0.5 for shape in shapes], 0, 255).astype(int).tolist()
    for shape, ink in zip(shapes, inks, strict=True):
        pen.polygon((place(shape.points) * wide).ravel().tolist(), fill=(*ink, 255))
    layer = canvas.reduce(_OVERSAMPLING)
    planes = np.stack([np.asarray(band, np.float32) for band in layer.split()])
    planes[3] /= 255
    return planes


def _light(layer: Planes, behind: Picture, rng: np.random.Generator) -> Picture:
    colour, coverage = layer[:3], layer[3]
    angle = np.deg2rad(rng.uniform(35, 145))
    strength = rng.uniform(0.10, 0.17)
    relief = strength * _relief(coverage, np.cos(angle), np.sin(angle))
    warmth = rng.uniform(-0.04, 0.04)
    tint = np.array([1 + warmth, 1, 1 - warmth], np.float32) * rng.uniform(0.95, 1.04)
    # Light falls on black plumage as a sheen; a factor alone would leave it flat.
    gloss = 60 * np.maximum(relief, 0) * coverage
    picture = colour * (1 + relief) + gloss
    picture += behind.transpose(2, 0, 1) * (1 - coverage)
    picture *= tint.astype(np.float32)[:, None, None]
    np.clip(picture + 0.5, 0, 255, out=picture)
    return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))


def _relief(coverage: Planes, right: float, up: float) -> Planes:
    # A round body from its flat outline: how far the blurred outline slopes towards the light,
    # (size, size), about -1..1; it is soft, so a quarter of the size will do.
    size = len(coverage)
    small = Image.fromarray((coverage * 255).astype(np.uint8)).reduce(max(1, size // 64))
    blurred = np.asarray(small.filter(ImageFilter.GaussianBlur(4)), np.float32) / 255
    down_slope, right_slope = np.gradient(blurred)
    lit = np.clip((down_slope * up - right_slope * right) * 10, -1, 1)
    wide = Image.fromarray(np.asarray(lit, np.float32)).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    return np.asarray(wide)
