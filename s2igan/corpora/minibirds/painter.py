"""From attributes to a picture: one bird, posed, lit and scaled at random, somewhere outdoors."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from s2igan.corpora.minibirds.anatomy import LENGTH, Pose, Shape, bird, hips
from s2igan.corpora.minibirds.backgrounds import background
from s2igan.corpora.minibirds.geometry import Points, open_curve, stroke
from s2igan.engine.pictures import Picture

_OVERSAMPLING = 3
_SHARE_OF_WIDTH: Final = {"small": (0.52, 0.57), "medium": (0.65, 0.70), "large": (0.78, 0.83)}
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
    perch = _perch(feet, facing, rng)
    legs = _legs(hips(pose), feet)
    layer = _paint([*perch, *legs, *shapes], place, size)
    return _light(layer, background(rng, size), rng)


class _Placement:
    """From the bird's units to pixels of a picture of any size."""

    def __init__(self, matrix: Points, origin: Points) -> None:
        self.matrix, self.origin = matrix, origin

    def __call__(self, points: Points, width: int) -> Points:
        return (points * self.matrix + self.origin) * width


def _placement(
    shapes: list[Shape], feet: Points, scale: float, facing: float, rng: np.random.Generator
) -> _Placement:
    matrix = np.array([facing * scale, -scale])
    points = np.concatenate([*(shape.points for shape in shapes), feet]) * matrix
    low, high = points.min(axis=0), points.max(axis=0)
    centre = 0.5 + rng.uniform(-0.06, 0.06, 2) - (low + high) / 2
    return _Placement(matrix, np.clip(centre, _MARGIN - low, 1 - _MARGIN - high))


def _perch(feet: Points, facing: float, rng: np.random.Generator) -> list[Shape]:
    level = feet[:, 1].mean() - 0.03
    tone = np.array([118.0, 104.0, 90.0]) * rng.uniform(0.82, 1.12) + rng.uniform(-6, 6, 3)
    if rng.random() < 0.6:
        slope, bend = rng.uniform(-0.10, 0.10), rng.uniform(-0.06, 0.06)
        line = [(-4.0, level - 3 * slope), (-0.9, level - slope + bend), (0.0, level)]
        line += [(0.9, level + slope + bend), (4.0, level + 3 * slope)]
        width = rng.uniform(0.07, 0.12)
        outline = stroke(line, width * 1.15, width * 0.85)
        shade = outline - np.array([0, width * 0.22])
        return [Shape(shade, tone * 0.78), Shape(outline, tone)]
    mound = open_curve(
        [(-4.5, level - rng.uniform(0, 0.3)), (-1.2, level), (0, level), (1.2, level)]
        + [(4.5, level - rng.uniform(0, 0.3))]
    )
    ground = np.concatenate([mound, [(4.5, -4.0), (-4.5, -4.0)]])
    hues = [(126.0, 128.0, 98.0), (150.0, 140.0, 118.0), (136.0, 136.0, 132.0)]
    soil = np.array(hues[int(rng.integers(3))]) * rng.uniform(0.9, 1.1)
    return [Shape(ground, soil)]


def _legs(tops: Points, feet: Points) -> list[Shape]:
    tone = np.array([88.0, 70.0, 60.0])
    shapes = []
    for top, foot in zip(tops + np.array([0, 0.06]), feet, strict=True):
        knee = (top + foot) / 2 + np.array([-0.02, 0.0])
        shapes.append(Shape(stroke([top, knee, foot], 0.032, 0.024), tone))
        for reach in (0.075, 0.04, -0.045):
            toe = foot + np.array([reach, -0.022])
            shapes.append(Shape(stroke([foot, toe], 0.024, 0.014), tone))
    return shapes


def _paint(shapes: list[Shape], place: _Placement, size: int) -> npt.NDArray[np.float32]:
    # (size, size, 4) float32, 0..255, colour premultiplied with the coverage in the last channel.
    wide = size * _OVERSAMPLING
    canvas = Image.new("CMYK", (wide, wide), (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        ink = (*(int(value) for value in np.clip(shape.colour + 0.5, 0, 255)), 255)
        pen.polygon(place(shape.points, wide).ravel().tolist(), fill=ink)
    return np.asarray(canvas.reduce(_OVERSAMPLING), np.float32)


def _light(
    layer: npt.NDArray[np.float32], behind: npt.NDArray[np.float32], rng: np.random.Generator
) -> Picture:
    size = len(layer)
    coverage = layer[..., 3:] / 255
    relief = _relief(coverage[..., 0])
    angle = np.deg2rad(rng.uniform(35, 145))
    lit = relief[0] * np.cos(angle) - relief[1] * np.sin(angle)
    strength = rng.uniform(0.10, 0.17)
    factor = (1 + strength * np.clip(lit, -1, 1))[..., None]
    sheen = (10 * strength / 0.17 * np.clip(lit, 0, 1))[..., None]
    warmth = rng.uniform(-0.04, 0.04)
    tint = np.float32([1 + warmth, 1, 1 - warmth]) * rng.uniform(0.94, 1.04)
    bird_light = layer[..., :3] * factor + sheen * coverage
    picture = (behind * (1 - coverage) + bird_light) * tint
    del size
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _relief(coverage: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # A round body from its flat outline: the slope of the blurred outline, (2, size, size) in
    # x (right) and y (down), about -1..1; small and soft, so a quarter of the size will do.
    size = len(coverage)
    small = Image.fromarray((coverage * 255).astype(np.uint8)).reduce(max(1, size // 64))
    blurred = np.asarray(small.filter(ImageFilter.GaussianBlur(4)), np.float32) / 255
    slopes = np.gradient(-blurred)
    return np.stack(
        [
            np.asarray(Image.fromarray(slope * 10).resize((size, size), Image.Resampling.BICUBIC))
            for slope in (slopes[1], slopes[0])
        ]
    )
