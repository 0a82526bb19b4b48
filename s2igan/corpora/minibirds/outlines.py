"""The outlines that every bird shares, each in the frame of its own part, facing right.

Wing and tail are given in body units around the joint that they turn on, the skull's parts in
radii of the head around its middle, bills in body units around the point where they leave it.
"""

from typing import Final

import numpy as np

from s2igan.corpora.minibirds.geometry import Points, closed_curve, ellipse, open_curve, stroke


def _cap() -> Points:
    # From the bill's base over the top of the head down to the nape, and back above the eye.
    angles = np.deg2rad(np.linspace(14, 205, 28))
    over = np.stack([np.cos(angles) * 1.03, np.sin(angles)], axis=1) * 1.015
    under = open_curve([(-0.93, -0.43), (-0.45, 0.0), (0.0, 0.25), (0.55, 0.30), (0.99, 0.24)])
    return np.concatenate([over, under])


def _tail() -> Points:
    # Rounded sides, and a notch between the two halves of the fan.
    side = open_curve([(0.06, 0.065), (-0.2, 0.085), (-0.48, 0.11)])
    end = [(-0.505, 0.06), (-0.465, 0.0), (-0.505, -0.06)]
    return np.concatenate([side, end, side[::-1] * np.array([1, -1])])


def _hooked() -> Points:
    ridge = open_curve([(0.0, 0.12), (0.12, 0.115), (0.215, 0.04), (0.225, -0.06), (0.195, -0.135)])
    hollow = open_curve([(0.195, -0.135), (0.155, -0.06), (0.09, -0.025)])
    return np.concatenate([ridge, hollow, [(0.0, -0.02)]])


def _scallop(x: float, y: float) -> Points:
    # The rounded end of one covert feather.
    return stroke([(x + 0.028, y + 0.026), (x, y), (x + 0.028, y - 0.026)], 0.007, 0.007)


SKULL: Final = ellipse((0, 0), (1.03, 0.97), 40)
CAP: Final = _cap()

BILLS: Final[dict[str, tuple[Points, Points]]] = {
    "short": (
        np.array([(0.0, 0.085), (0.10, 0.06), (0.20, -0.01), (0.0, -0.015)]),
        np.array([(0.0, -0.01), (0.175, -0.015), (0.08, -0.065), (0.0, -0.075)]),
    ),
    "long": (
        np.array([(0.0, 0.065), (0.15, 0.035), (0.43, -0.02), (0.0, -0.01)]),
        np.array([(0.0, -0.005), (0.40, -0.02), (0.12, -0.04), (0.0, -0.06)]),
    ),
    "hooked": (
        _hooked(),
        np.array([(0.0, -0.02), (0.11, -0.03), (0.115, -0.07), (0.0, -0.09)]),
    ),
}
"""Upper and lower mandible of every bill."""

TAIL: Final = _tail()
TAIL_SHAFTS: Final = tuple(
    stroke([(-0.05, y / 2), (-0.45, y)], 0.008, 0.012) for y in (0.055, 0.0, -0.055)
)

WING: Final = closed_curve(
    [
        (0.06, -0.01),
        (-0.02, 0.055),
        (-0.20, 0.065),
        (-0.46, 0.01),
        (-0.72, -0.08),
        (-0.76, -0.11),
        (-0.58, -0.145),
        (-0.34, -0.21),
        (-0.12, -0.22),
        (0.03, -0.14),
    ]
)
WING_QUILLS: Final = (
    stroke([(-0.30, 0.005), (-0.50, -0.045), (-0.70, -0.095)], 0.005, 0.013),
    stroke([(-0.31, -0.06), (-0.48, -0.09), (-0.66, -0.115)], 0.005, 0.013),
    stroke([(-0.30, -0.125), (-0.42, -0.135), (-0.56, -0.135)], 0.005, 0.013),
)
WING_SCALLOPS: Final = (
    _scallop(-0.05, -0.02),
    _scallop(-0.04, -0.10),
    _scallop(-0.16, -0.01),
    _scallop(-0.15, -0.085),
    _scallop(-0.14, -0.16),
)
WING_BARS: Final = (
    stroke([(-0.045, 0.045), (-0.075, -0.07), (-0.095, -0.205)], 0.056, 0.056),
    stroke([(-0.19, 0.05), (-0.225, -0.06), (-0.255, -0.205)], 0.056, 0.056),
)
