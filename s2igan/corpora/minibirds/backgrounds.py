"""Places for birds to sit: soft, dull and of middle brightness, so that plumage stands out.

A background is (size, size, 3) float32 RGB, 0..255.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.float32]
Rng = np.random.Generator


def background(rng: Rng, size: int) -> Field:
    """Draw the surroundings of one bird."""
    scene = _SCENES[int(rng.integers(len(_SCENES)))]
    return scene(rng, size)


def _tone(rng: Rng, low: tuple[int, int, int], high: tuple[int, int, int]) -> Field:
    # One mixing weight for all channels keeps the hue between the two ends.
    mix = rng.random()
    jitter = rng.uniform(-6, 6, 3)
    return np.asarray(np.add(low, np.subtract(high, low) * mix) + jitter, np.float32)


def _noise(rng: Rng, size: int, rows: int, columns: int) -> Field:
    # Smooth noise in about -1..1, (size, size, 1): few random cells, enlarged bicubically.
    cells = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32) * 0.6)
    return np.asarray(cells.resize((size, size), Image.Resampling.BICUBIC))[..., None]


def _height(size: int) -> Field:
    # 0 at the top of the picture, 1 at the bottom, (size, 1, 1).
    return np.linspace(0, 1, size, dtype=np.float32)[:, None, None]


def _blend(lower: Field, upper: Field, weight: Field) -> Field:
    return np.asarray(lower + (upper - lower) * weight, np.float32)


def _sky(rng: Rng, size: int) -> Field:
    top = _tone(rng, (128, 152, 180), (160, 182, 202))
    bottom = _tone(rng, (192, 202, 208), (206, 198, 188))
    clouds = _noise(rng, size, 5, 3) + 0.5 * _noise(rng, size, 12, 7)
    sky = _blend(top, bottom, _height(size))
    return _blend(sky, np.float32([212, 214, 214]), np.clip(clouds * 0.45, 0, 0.6))


def _foliage(rng: Rng, size: int) -> Field:
    dark = _tone(rng, (96, 112, 88), (112, 118, 100))
    pale = _tone(rng, (168, 182, 148), (188, 186, 158))
    leaves = 0.5 + 0.42 * _noise(rng, size, 6, 6) + 0.22 * _noise(rng, size, 15, 15)
    glow = 0.35 * (1 - _height(size)) * rng.random()
    return _blend(dark, pale, np.clip(leaves + glow, 0, 1))


def _hills(rng: Rng, size: int) -> Field:
    picture = _sky(rng, size)
    across = np.linspace(0, 1, size, dtype=np.float32)[None, :, None]
    near = _tone(rng, (108, 122, 108), (128, 128, 124))
    level, count = rng.uniform(0.35, 0.5), 3
    for step in range(count):
        waves = np.sin(across * rng.uniform(4, 9) + rng.uniform(0, 6.3)) * rng.uniform(0.02, 0.06)
        ridge = np.clip((_height(size) - (level + waves)) * size / 6, 0, 1)
        tone = _blend(np.float32([176, 188, 196]), near, np.float32((step + 1) / count))
        picture = _blend(picture, tone, ridge)
        level += rng.uniform(0.13, 0.2)
    return picture


def _meadow(rng: Rng, size: int) -> Field:
    far = _tone(rng, (176, 186, 180), (200, 196, 180))
    grass = _tone(rng, (120, 136, 96), (156, 150, 112))
    horizon = rng.uniform(0.3, 0.6)
    depth = np.clip((_height(size) - horizon) * 4 + 0.5, 0, 1)
    blades = _noise(rng, size, 4, 28) * depth * 16 + _noise(rng, size, 4, 4) * 10
    return _blend(far, grass, depth) + blades


def _water(rng: Rng, size: int) -> Field:
    far = _tone(rng, (170, 186, 190), (190, 192, 186))
    near = _tone(rng, (104, 130, 142), (122, 136, 136))
    ripples = _noise(rng, size, 30, 3) * (3 + 12 * _height(size))
    bank = np.clip((rng.uniform(0.1, 0.3) - _height(size)) * 14, 0, 1)
    shore = _tone(rng, (120, 130, 104), (150, 146, 124)) + 12 * _noise(rng, size, 8, 8)
    return _blend(_blend(far, near, _height(size)) + ripples, shore, bank)


_SCENES: Final[tuple[Callable[[Rng, int], Field], ...]] = (_sky, _foliage, _hills, _meadow, _water)
