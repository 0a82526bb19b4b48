"""Points in the plane: smooth outlines through a few of them, and frames that move them.

Points are (n, 2) float64, x to the right and y up, in units of a bird's body.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

_STEPS = 8
_T = np.arange(_STEPS)[:, None] / _STEPS
# Catmull–Rom basis: (_STEPS, 4) weights of the points before, at, after and next after a segment.
_BASIS = 0.5 * np.concatenate(
    [
        -_T + 2 * _T**2 - _T**3,
        2 - 5 * _T**2 + 3 * _T**3,
        _T + 4 * _T**2 - 3 * _T**3,
        -(_T**2) + _T**3,
    ],
    axis=1,
)


def closed_curve(points: npt.ArrayLike) -> Points:
    """Return the closed Catmull–Rom curve through ``(n, 2)`` points, ``(8 n, 2)``."""
    knots = np.asarray(points, float)
    windows = np.stack([np.roll(knots, 1 - shift, axis=0) for shift in range(4)])  # (4, n, 2)
    return np.asarray(np.einsum("sk,knd->nsd", _BASIS, windows).reshape(-1, 2))


def open_curve(points: npt.ArrayLike) -> Points:
    """Return the Catmull–Rom curve from the first to the last point, ``(8 (n - 1) + 1, 2)``."""
    knots = np.asarray(points, float)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    count = len(knots) - 1
    windows = np.stack([padded[shift : shift + count] for shift in range(4)])  # (4, n - 1, 2)
    curve = np.einsum("sk,knd->nsd", _BASIS, windows).reshape(-1, 2)
    return np.concatenate([curve, knots[-1:]])


def stroke(points: npt.ArrayLike, start: float, end: float) -> Points:
    """Return the outline of a smooth stroke whose width goes from ``start`` to ``end``."""
    line = np.asarray(points, float)
    if len(line) > 2:
        line = open_curve(line)
    along = np.concatenate([line[1:2] - line[:1], line[2:] - line[:-2], line[-1:] - line[-2:-1]])
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.hypot(along[:, :1], along[:, 1:])
    half = np.linspace(start / 2, end / 2, len(line))[:, None]
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


def ellipse(centre: npt.ArrayLike, radii: npt.ArrayLike, points: int = 32) -> Points:
    """Return an upright ellipse as ``(points, 2)``."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(np.asarray(centre, float) + circle * np.asarray(radii, float))


@dataclass(frozen=True)
class Frame:
    """A movable set of axes: ``origin + matrix @ point``.

    Attributes:
        matrix: (2, 2).
        origin: (2,).
    """

    matrix: Points
    origin: Points

    @classmethod
    def turned(cls, degrees: float, origin: npt.ArrayLike = (0.0, 0.0)) -> Self:
        """Axes at ``origin``, turned anticlockwise."""
        angle = np.deg2rad(degrees)
        cos, sin = np.cos(angle), np.sin(angle)
        return cls(np.array([[cos, -sin], [sin, cos]]), np.asarray(origin, float))

    def __call__(self, points: npt.ArrayLike) -> Points:
        """Express points given along these axes in the frame that the axes are given in."""
        return np.asarray(points, float) @ self.matrix.T + self.origin

    def inside(self, outer: "Frame") -> "Frame":
        """Express these axes, given within ``outer``, in the frame that ``outer`` is given in."""
        return Frame(outer.matrix @ self.matrix, outer(self.origin))
