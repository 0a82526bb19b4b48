"""What a bird stands on, and the legs it stands with; lengths in the bird's units, y up."""

import numpy as np

from s2igan.corpora.minibirds.anatomy import Shape
from s2igan.corpora.minibirds.geometry import Frame, Points, closed_curve, open_curve, stroke
from s2igan.corpora.minibirds.palette import Colour, lighten, shade

_BARK = np.array([124.0, 110.0, 97.0])
_LEAF = np.array([128.0, 144.0, 106.0])
_LEG = np.array([88.0, 70.0, 60.0])
_SOILS = np.array([[140.0, 142.0, 112.0], [164.0, 154.0, 132.0], [148.0, 149.0, 147.0]])
# Far enough to leave the picture on both sides at every scale.
_REACH = 4.5


def perch(feet: Points, rng: np.random.Generator) -> list[Shape]:
    """Draw a branch or the ground under two feet, (2, 2)."""
    level = float(feet[:, 1].mean()) - 0.03
    return _branch(level, rng) if rng.random() < 0.6 else _ground(level, rng)


def legs(hips: Points, feet: Points) -> list[Shape]:
    """Return two legs with three toes each, from (2, 2) hips to (2, 2) feet."""
    shapes = []
    # The upper end is hidden in the belly.
    for top, foot in zip(hips + np.array([0, 0.06]), feet, strict=True):
        knee = (top + foot) / 2 + np.array([-0.02, 0.0])
        shapes.append(Shape(stroke([top, knee, foot], 0.034, 0.026), _LEG))
        for reach in (0.075, 0.04, -0.045):
            toe = foot + np.array([reach, -0.022])
            shapes.append(Shape(stroke([foot, toe], 0.026, 0.016), _LEG))
    return shapes


def _branch(level: float, rng: np.random.Generator) -> list[Shape]:
    bark = _BARK * rng.uniform(0.85, 1.15) + rng.uniform(-5, 5, 3)
    slope, bend = rng.uniform(-0.10, 0.10), rng.uniform(-0.06, 0.06)
    line = [
        (-_REACH, level - 3 * slope),
        (-0.9, level - slope + bend),
        (0.0, level),
        (0.9, level + slope + bend),
        (_REACH, level + 3 * slope),
    ]
    width = rng.uniform(0.07, 0.12)
    outline = stroke(line, width * 1.15, width * 0.85)
    under = outline - np.array([0, width * 0.22])
    leaf = _LEAF * rng.uniform(0.9, 1.2) + rng.uniform(-8, 8, 3)
    shapes = [Shape(under, shade(bark, 0.2)), Shape(outline, bark)]
    for _ in range(int(rng.integers(4))):
        side = -1.0 if rng.random() < 0.5 else 1.0
        x = side * rng.uniform(0.45, 1.2)
        y = level + abs(x) * (side * slope + bend) / 0.9
        down = rng.random() < 0.5
        shapes += _leaf((x, y), rng.uniform(-70, -20) if down else rng.uniform(20, 60), leaf)
    return shapes


def _leaf(stalk: tuple[float, float], angle: float, colour: Colour) -> list[Shape]:
    frame = Frame.turned(angle, stalk)
    blade = closed_curve([(0.0, 0.0), (0.10, 0.055), (0.22, 0.03), (0.30, 0.0), (0.14, -0.055)])
    vein = stroke([(0.0, 0.0), (0.26, 0.0)], 0.012, 0.006)
    return [Shape(frame(blade), colour), Shape(frame(vein), shade(colour, 0.15))]


def _ground(level: float, rng: np.random.Generator) -> list[Shape]:
    soil = _SOILS[int(rng.integers(len(_SOILS)))] * rng.uniform(0.92, 1.08)
    left, right = level - rng.uniform(0, 0.3, 2)
    ridge = open_curve([(-_REACH, left), (-1.2, level), (0, level), (1.2, level), (_REACH, right)])
    shapes = [Shape(np.concatenate([ridge, [(_REACH, -_REACH), (-_REACH, -_REACH)]]), soil)]
    tuft = lighten(_LEAF, 0.1) * rng.uniform(0.85, 1.05)
    for _ in range(int(rng.integers(5))):
        x = rng.uniform(-1.2, 1.2)
        for lean in rng.uniform(-0.08, 0.08, 4):
            tip = (x + 2 * lean, level + rng.uniform(0.06, 0.17))
            shapes.append(Shape(stroke([(x + lean / 2, level - 0.03), tip], 0.028, 0.004), tuft))
    return shapes
