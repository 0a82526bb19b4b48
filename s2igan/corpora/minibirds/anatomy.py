"""A bird in side view, facing right: which outlines it has, in which pose.

Lengths are in units in which the body without head and tail is about 0.9 long.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s2igan.corpora.attributes import COLOUR_PARTS
from s2igan.corpora.minibirds.geometry import Frame, Points, closed_curve, ellipse, open_curve
from s2igan.corpora.minibirds.outlines import (
    BILLS,
    CAP,
    SKULL,
    TAIL,
    TAIL_SHAFTS,
    WING,
    WING_BARS,
    WING_QUILLS,
    WING_SCALLOPS,
)
from s2igan.corpora.minibirds.palette import LIGHT_PLUMAGE, Colour, plumage, shade

LENGTH = 1.5
"""From forehead to the end of the tail."""

_EYE = 0.042
_EYE_RING = np.array([214.0, 208.0, 196.0])
_PUPIL = np.array([22.0, 18.0, 18.0])
_GLINT = np.array([250.0, 250.0, 250.0])
_BILL_TONES = np.array([[58.0, 54.0, 56.0], [96.0, 84.0, 72.0], [222.0, 146.0, 52.0]])
_DARK_BARS = np.array([52.0, 46.0, 46.0])
_PALE_BARS = np.array([248.0, 246.0, 240.0])


@dataclass(frozen=True)
class Shape:
    """One filled outline.

    Attributes:
        points: (n, 2), in the bird's units, y up.
        colour: what it is filled with.
    """

    points: Points
    colour: Colour


@dataclass(frozen=True)
class Pose:
    """What the individual does, besides what its species looks like.

    Attributes:
        tilt: angle of the body above the horizontal, degrees.
        head: frame of the head within the body's.
        head_size: radius of the head.
        tail: angle of the tail against the body, degrees.
        wing: angle of the wing against the body, degrees.
        plump: height of the body against the usual.
        stretch: horizontal share of the bill that is seen; a head turned aside shows less.
    """

    tilt: float
    head: Frame
    head_size: float
    tail: float
    wing: float
    plump: float
    stretch: float

    @classmethod
    def draw(cls, size: str, rng: np.random.Generator) -> "Pose":
        """Draw a pose; small birds have larger heads and rounder bodies."""
        tilt = rng.uniform(4, 34)
        head_angle = -tilt * 0.75 + rng.uniform(-10, 12)
        centre = (0.42 + rng.uniform(-0.04, 0.04), 0.33 + rng.uniform(-0.04, 0.05))
        extra = {"small": 0.025, "medium": 0.01, "large": 0.0}[size]
        return cls(
            tilt=tilt,
            head=Frame.turned(head_angle, centre),
            head_size=0.205 + extra + rng.uniform(-0.006, 0.006),
            tail=rng.uniform(-14, 14),
            wing=rng.uniform(-7, 6),
            plump=1.0 + 3 * extra + rng.uniform(-0.05, 0.06),
            stretch=rng.uniform(0.86, 1.0),
        )


def bird(attributes: Mapping[str, str], pose: Pose, rng: np.random.Generator) -> list[Shape]:
    """Return the shapes of a bird, from the hindmost to the foremost.

    Args:
        attributes: a value for each of :data:`s2igan.corpora.attributes.ATTRIBUTES`.
        pose: what the bird does.
        rng: draws the individual's shades of colour.
    """
    colours = {part: plumage(attributes[part], rng) for part in COLOUR_PARTS}
    body = Frame.turned(pose.tilt)
    head = pose.head.inside(body)
    bill_colour = _BILL_TONES[int(rng.integers(len(_BILL_TONES)))]
    return [
        *_tail(Frame.turned(pose.tail, (-0.40, 0.04)).inside(body), colours["tail"]),
        *_bill(attributes["bill"], head, pose, bill_colour),
        *_body(body, pose, colours["belly"], colours["back"]),
        *_head(head, pose.head_size, colours["belly"], colours["crown"]),
        *_wing(
            Frame.turned(pose.wing, (0.20, 0.07)).inside(body),
            colours["wing"],
            colours["belly"],
            _bar_colour(attributes["wing"]) if attributes["wing_bars"] == "barred" else None,
        ),
    ]


def hips(pose: Pose) -> Points:
    """Return where the two legs leave the body, (2, 2)."""
    return Frame.turned(pose.tilt)([(0.06, -0.20 * pose.plump), (-0.06, -0.21 * pose.plump)])


def _tail(frame: Frame, colour: Colour) -> list[Shape]:
    return [
        Shape(frame(TAIL), colour),
        *(Shape(frame(shaft), shade(colour, 0.2)) for shaft in TAIL_SHAFTS),
    ]


def _body(frame: Frame, pose: Pose, belly: Colour, back: Colour) -> list[Shape]:
    r = pose.head_size
    nape, throat = pose.head([(-0.72 * r, 0.55 * r), (0.80 * r, -0.45 * r)])
    tall = np.array([1.0, pose.plump])
    upper = np.array([(0.10, 0.26), (-0.14, 0.235), (-0.34, 0.15), (-0.46, 0.085)]) * tall
    lower = (
        np.array([(-0.46, -0.01), (-0.33, -0.13), (-0.08, -0.255), (0.18, -0.25), (0.37, -0.12)])
        * tall
    )
    breast = (0.455, 0.07)
    outline = closed_curve([nape, *upper, *lower, breast, throat])
    seam = pose.head([(-0.55 * r, -0.75 * r)])[0]
    edge = open_curve([lower[0], (-0.30, 0.0), (0.0, 0.02), (0.2, 0.08), seam, nape])
    mantle = np.concatenate([outline[: 8 * 5 + 1], edge])
    return [
        Shape(frame(outline), belly),
        Shape(frame(mantle), back),
    ]


def _head(frame: Frame, r: float, face: Colour, crown: Colour) -> list[Shape]:
    eye = np.array([0.36, 0.12]) * r
    glint = eye + np.array([0.3, 0.35]) * _EYE
    return [
        Shape(frame(SKULL * r), face),
        Shape(frame(CAP * r), crown),
        # The pale ring keeps the eye visible on dark plumage.
        Shape(frame(ellipse(eye, (1.28 * _EYE, 1.28 * _EYE), 24)), _EYE_RING),
        Shape(frame(ellipse(eye, (_EYE, _EYE), 24)), _PUPIL),
        Shape(frame(ellipse(glint, (0.3 * _EYE, 0.3 * _EYE), 12)), _GLINT),
    ]


def _bill(kind: str, head: Frame, pose: Pose, colour: Colour) -> list[Shape]:
    base, seen = np.array([0.80 * pose.head_size, 0.0]), np.array([pose.stretch, 1.0])
    upper, lower = BILLS[kind]
    return [
        Shape(head((lower + base) * seen), shade(colour, 0.25)),
        Shape(head((upper + base) * seen), colour),
    ]


def _wing(frame: Frame, colour: Colour, belly: Colour, bars: Colour | None) -> list[Shape]:
    shapes = [
        # The wing's shadow on the flank.
        Shape(frame(WING + np.array([0.0, -0.022])), shade(belly, 0.2)),
        Shape(frame(WING), colour),
        *(Shape(frame(quill), shade(colour, 0.24)) for quill in WING_QUILLS),
    ]
    if bars is None:
        return shapes + [Shape(frame(scallop), shade(colour, 0.18)) for scallop in WING_SCALLOPS]
    return shapes + [Shape(frame(bar), bars) for bar in WING_BARS]


def _bar_colour(wing: str) -> Colour:
    return _DARK_BARS if wing in LIGHT_PLUMAGE else _PALE_BARS
