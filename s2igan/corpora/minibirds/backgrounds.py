"""Places for birds to sit: soft, dull and of middle brightness, so that plumage stands out.

Scenes are computed at half the size, (size, size, 3) float32 RGB in 0..255: they are out of focus.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from s2igan.engine.pictures import Picture

Field = npt.NDArray[np.float32]
Rng = np.random.Generator


def background(rng: Rng, size: int) -> Picture:
    """Draw the surroundings of one bird, ``(size, size, 3)`` uint8 RGB."""
    scene = _SCENES[int(rng.integers(len(_SCENES)))]
    half = np.clip(scene(rng, max(size // 2, 1)) + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(half).resize((size, size), Image.Resampling.BICUBIC))


def _tone(rng: Rng, low: tuple[int, int, int], high: tuple[int, int, int]) -> Field:
    # One mixing weight for all channels keeps the hue between the two ends.
    mix = rng.random()
    jitter = rng.uniform(-5, 5, 3)
    return np.asarray(np.add(low, np.subtract(high, low) * mix) + jitter, np.float32)


def _noise(rng: Rng, size: int, rows: int, columns: int) -> Field:
    # Smooth noise in about -1..1, (size, size, 1): few random cells, enlarged bicubically.
    cells = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32) * 0.6)
    return np.asarray(cells.resize((size, size), Image.Resampling.BICUBIC))[..., None]


def _height(size: int) -> Field:
    # 0 at the top of the picture, 1 at the bottom, (size, 1, 1).
    return np.linspace(0, 1, size, dtype=np.float32)[:, None, None]


def _blend(below: Field, above: Field, weight: npt.NDArray[np.floating] | float) -> Field:
    return np.asarray(below + (above - below) * weight, np.float32)


def _sky(rng: Rng, size: int) -> Field:
    top = _tone(rng, (144, 168, 194), (170, 190, 208))
    bottom = _tone(rng, (202, 211, 216), (216, 208, 198))
    clouds = _noise(rng, size, 5, 3) + 0.5 * _noise(rng, size, 12, 7)
    sky = _blend(top, bottom, _height(size))
    return _blend(sky, _CLOUD, np.clip(clouds * 0.45, 0, 0.6))


def _foliage(rng: Rng, size: int) -> Field:
    dark = _tone(rng, (124, 140, 114), (140, 146, 122))
    pale = _tone(rng, (180, 194, 160), (200, 198, 170))
    leaves = 0.5 + 0.4 * _noise(rng, size, 7, 5) + 0.18 * _noise(rng, size, 11, 16)
    glow = 0.35 * (1 - _height(size)) * rng.random()
    return _blend(dark, pale, np.clip(leaves + glow, 0, 1))


def _hills(rng: Rng, size: int) -> Field:
    picture = _sky(rng, size)
    across = np.linspace(0, 1, size, dtype=np.float32)[None, :, None]
    near = _tone(rng, (132, 148, 126), (146, 148, 140))
    level = rng.uniform(0.35, 0.5)
    for nearness in (0.33, 0.67, 1.0):
        waves = np.sin(across * rng.uniform(4, 9) + rng.uniform(0, 6.3)) * rng.uniform(0.02, 0.06)
        ridge = np.clip((_height(size) - (level + waves)) * size / 4, 0, 1)
        picture = _blend(picture, _blend(_HAZE, near, nearness), ridge)
        level += rng.uniform(0.13, 0.2)
    return picture


def _meadow(rng: Rng, size: int) -> Field:
    far = _tone(rng, (190, 200, 196), (210, 206, 190))
    grass = _tone(rng, (142, 156, 116), (172, 166, 130))
    horizon = rng.uniform(0.3, 0.6)
    depth = np.clip((_height(size) - horizon) * 4 + 0.5, 0, 1)
    blades = _noise(rng, size, 4, 28) * depth * 14 + _noise(rng, size, 4, 4) * 8
    return np.asarray(_blend(far, grass, depth) + blades, np.float32)


def _water(rng: Rng, size: int) -> Field:
    far = _tone(rng, (182, 198, 202), (200, 202, 196))
    near = _tone(rng, (128, 152, 164), (144, 158, 158))
    ripples = _noise(rng, size, 30, 3) * (3 + 10 * _height(size))
    bank = np.clip((rng.uniform(0.1, 0.3) - _height(size)) * 14, 0, 1)
    shore = _tone(rng, (142, 152, 124), (166, 162, 142)) + 10 * _noise(rng, size, 8, 8)
    return _blend(_blend(far, near, _height(size)) + ripples, shore, bank)


_CLOUD: Final = np.array([224, 226, 226], np.float32)
_HAZE: Final = np.array([188, 199, 206], np.float32)
_SCENES: Final[tuple[Callable[[Rng, int], Field], ...]] = (_sky, _foliage, _hills, _meadow, _water)
