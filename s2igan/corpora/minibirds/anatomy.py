"""A bird in side view, facing right: which outlines it has, in which pose.

Lengths are in units in which the body without head and tail is about 0.9 long.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s2igan.corpora.minibirds.geometry import (
    Frame,
    Points,
    closed_curve,
    ellipse,
    open_curve,
    stroke,
)
from s2igan.corpora.minibirds.palette import LIGHT_PLUMAGE, Colour, plumage, shade

LENGTH = 1.5
"""From forehead to the end of the tail."""


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
    colours = {
        part: plumage(attributes[part], rng) for part in ("crown", "back", "belly", "wing", "tail")
    }
    body = Frame.turned(pose.tilt)
    head = pose.head.inside(body)
    bill_colour = np.asarray(
        [(58, 54, 56), (96, 84, 72), (222, 146, 52)][int(rng.integers(3))], float
    )
    return [
        *_tail(Frame.turned(pose.tail, (-0.40, 0.04)).inside(body), colours["tail"]),
        *_bill(attributes["bill"], head, pose, bill_colour),
        *_body(body, pose, colours["belly"], colours["back"]),
        *_head(head, pose.head_size, colours["belly"], colours["crown"]),
        *_wing(
            Frame.turned(pose.wing, (0.20, 0.07)).inside(body),
            colours["wing"],
            colours["belly"],
            _bar_colour(attributes) if attributes["wing_bars"] == "barred" else None,
        ),
    ]


def hips(pose: Pose) -> Points:
    """Return where the two legs leave the body, (2, 2)."""
    return Frame.turned(pose.tilt)([(0.06, -0.20 * pose.plump), (-0.06, -0.21 * pose.plump)])


def _tail(frame: Frame, colour: Colour) -> list[Shape]:
    outline = [
        *open_curve([(0.06, 0.065), (-0.2, 0.085), (-0.48, 0.11)]),
        (-0.505, 0.06),
        (-0.465, 0.0),
        (-0.505, -0.06),
        *open_curve([(-0.48, -0.11), (-0.2, -0.085), (0.06, -0.065)]),
    ]
    lines = [stroke([(-0.05, y / 2), (-0.45, y)], 0.008, 0.012) for y in (0.055, 0.0, -0.055)]
    return [
        Shape(frame(outline), colour),
        *(Shape(frame(line), shade(colour, 0.2)) for line in lines),
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
    skull = ellipse((0, 0), (r * 1.03, r * 0.97), 40)
    # From the bill's base over the top of the head down to the nape, and back above the eye.
    angles = np.deg2rad(np.linspace(14, 205, 28))
    over = np.stack([np.cos(angles) * 1.03, np.sin(angles) * 1.0], axis=1) * r * 1.015
    below = open_curve(
        np.array([(-0.93, -0.43), (-0.45, 0.0), (0.0, 0.25), (0.55, 0.30), (0.99, 0.24)]) * r
    )
    eye = np.array([0.36, 0.12]) * r
    size = 0.042
    ring = np.array([214.0, 208.0, 196.0])
    return [
        Shape(frame(skull), face),
        Shape(frame(np.concatenate([over, below])), crown),
        Shape(frame(ellipse(eye, (size * 1.28, size * 1.28), 24)), ring),
        Shape(frame(ellipse(eye, (size, size), 24)), np.array([22.0, 18.0, 18.0])),
        Shape(
            frame(ellipse(eye + size * np.array([0.3, 0.35]), (size * 0.3,) * 2, 12)),
            np.array([250.0, 250.0, 250.0]),
        ),
    ]


def _bill(kind: str, head: Frame, pose: Pose, colour: Colour) -> list[Shape]:
    r = pose.head_size
    base = 0.80 * r
    if kind == "short":
        upper = [(base, 0.085), (base + 0.10, 0.06), (base + 0.20, -0.01), (base, -0.015)]
        lower = [(base, -0.01), (base + 0.175, -0.015), (base + 0.08, -0.065), (base, -0.075)]
    elif kind == "long":
        upper = [(base, 0.065), (base + 0.15, 0.035), (base + 0.43, -0.02), (base, -0.01)]
        lower = [(base, -0.005), (base + 0.40, -0.02), (base + 0.12, -0.04), (base, -0.06)]
    else:
        upper = [
            *open_curve(
                [
                    (base, 0.12),
                    (base + 0.12, 0.115),
                    (base + 0.215, 0.04),
                    (base + 0.225, -0.06),
                    (base + 0.195, -0.135),
                ]
            ),
            *open_curve([(base + 0.195, -0.135), (base + 0.155, -0.06), (base + 0.09, -0.025)]),
            (base, -0.02),
        ]
        lower = [(base, -0.02), (base + 0.11, -0.03), (base + 0.115, -0.07), (base, -0.09)]
    squeeze = np.array([pose.stretch, 1.0])
    return [
        Shape(head(np.array(lower) * squeeze), shade(colour, 0.25)),
        Shape(head(np.array(upper) * squeeze), colour),
    ]


def _bar_colour(attributes: Mapping[str, str]) -> Colour:
    if attributes["wing"] in LIGHT_PLUMAGE:
        return np.array([52.0, 46.0, 46.0])
    return np.array([248.0, 246.0, 240.0])


def _wing(frame: Frame, colour: Colour, belly: Colour, bars: Colour | None) -> list[Shape]:
    outline = closed_curve(
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
    quills = [
        [(-0.30, 0.005), (-0.50, -0.045), (-0.70, -0.095)],
        [(-0.31, -0.06), (-0.48, -0.09), (-0.66, -0.115)],
        [(-0.30, -0.125), (-0.42, -0.135), (-0.56, -0.135)],
    ]
    shapes = [
        Shape(frame(outline + np.array([0.0, -0.022])), shade(belly, 0.2)),
        Shape(frame(outline), colour),
        *(Shape(frame(stroke(quill, 0.005, 0.013)), shade(colour, 0.24)) for quill in quills),
    ]
    if bars is None:
        scallops = [(-0.05, -0.02), (-0.04, -0.10), (-0.16, -0.01), (-0.15, -0.085), (-0.14, -0.16)]
        return shapes + [Shape(frame(_scallop(at)), shade(colour, 0.18)) for at in scallops]
    rows = [
        [(-0.045, 0.045), (-0.075, -0.07), (-0.095, -0.205)],
        [(-0.19, 0.05), (-0.225, -0.06), (-0.255, -0.205)],
    ]
    return shapes + [Shape(frame(stroke(row, 0.056, 0.056)), bars) for row in rows]


def _scallop(tip: tuple[float, float]) -> Points:
    # The rounded end of one covert feather.
    x, y = tip
    return stroke([(x + 0.028, y + 0.026), (x, y), (x + 0.028, y - 0.026)], 0.007, 0.007)
