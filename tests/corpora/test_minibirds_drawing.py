from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, COLOURS, VALUES
from s2igan.corpora.minibirds.geometry import Frame, closed_curve, open_curve, stroke
from s2igan.corpora.minibirds.painter import draw
from s2igan.corpora.minibirds.palette import PLUMAGE
from s2igan.engine.pictures import Picture

BASE = dict(
    zip(
        ATTRIBUTES,
        ("black", "grey", "white", "brown", "blue", "plain", "medium", "short"),
        strict=True,
    )
)


def bird(seed: int, **changes: str) -> Picture:
    return draw({**BASE, **changes}, np.random.default_rng(seed))


def at_64(picture: Picture) -> npt.NDArray[np.float64]:
    small = Image.fromarray(picture).resize((64, 64), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def changed(one: Picture, other: Picture) -> npt.NDArray[np.float64]:
    """Where two drawings differ, as a share of the strongest difference, (64, 64)."""
    difference = np.abs(at_64(one) - at_64(other)).mean(axis=2)
    return np.asarray(difference / difference.max())


def test_a_drawing_is_decided_by_attributes_and_generator() -> None:
    first = bird(1)

    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, bird(1))
    assert not np.array_equal(first, bird(2))


def test_geometry_scales_with_the_picture() -> None:
    large, small = at_64(bird(3)), draw(BASE, np.random.default_rng(3), size=64).astype(float)

    # Only anti-aliasing and the fine feathers differ.
    assert np.abs(large - small).mean() < 6


@pytest.mark.parametrize("part", COLOUR_PARTS)
@pytest.mark.parametrize(("size", "fewest"), [("small", 34), ("medium", 40), ("large", 55)])
def test_every_coloured_part_is_plainly_visible_at_64_px(part: str, size: str, fewest: int) -> None:
    dark = dict.fromkeys(COLOUR_PARTS, "black")
    for seed in range(4):
        one = bird(seed, size=size, **dark)
        other = bird(seed, size=size, **{**dark, part: "white"})
        assert changed(one, other).sum() >= fewest


@pytest.mark.parametrize("part", COLOUR_PARTS)
def test_colours_are_drawn_as_they_are_called(part: str) -> None:
    words = list(PLUMAGE)
    ideals = np.array([PLUMAGE[word] for word in words], float)
    for seed in range(2):
        contrast = bird(seed, **{part: "black"}), bird(seed, **{part: "white"})
        core = changed(*contrast) > 0.8
        for colour in COLOURS:
            seen = np.median(at_64(bird(seed, **{part: colour}))[core], axis=0)
            nearest = words[int(np.linalg.norm(ideals - seen, axis=1).argmin())]
            assert nearest == colour


@pytest.mark.parametrize(("name", "fewest"), [("wing_bars", 10), ("bill", 8)])
def test_other_attributes_show_at_64_px(name: str, fewest: int) -> None:
    for one, other in pairwise(VALUES[name]):
        for seed in range(3):
            assert changed(bird(seed, **{name: one}), bird(seed, **{name: other})).sum() >= fewest


def test_white_bars_are_not_drawn_on_a_white_wing() -> None:
    for wing in COLOURS:
        plain, barred = bird(5, wing=wing), bird(5, wing=wing, wing_bars="barred")
        assert np.abs(plain.astype(float) - barred).max() > 60


def width(size: str, seed: int) -> int:
    tones = ("black", "white")
    one, other = (
        bird(seed, size=size, **dict.fromkeys(COLOUR_PARTS, tone)).astype(int) for tone in tones
    )
    columns = np.flatnonzero(np.abs(one - other).max(axis=(0, 2)) > 40)
    return int(columns[-1] - columns[0])


def test_size_is_seen_in_one_pose() -> None:
    for seed in range(4):
        small, medium, large = (width(size, seed) for size in VALUES["size"])
        assert small + 8 < medium < large - 8


def test_birds_face_both_ways_and_stand_in_different_places() -> None:
    heads = []
    backgrounds = []
    for seed in range(12):
        one, other = bird(seed, crown="red"), bird(seed, crown="white")
        heads.append(float(np.nonzero(changed(one, other) > 0.5)[1].mean()))
        backgrounds.append(one[:20].mean(axis=(0, 1)))
    assert min(heads) < 28 < 36 < max(heads)
    assert np.ptp(np.array(backgrounds), axis=0).min() > 20


def test_surroundings_are_dull_and_of_middle_brightness() -> None:
    # The upper corners never hold a bird; plumage is purer, darker or lighter than this.
    corners = np.concatenate(
        [
            bird(seed, size="small")[:16, columns].reshape(-1, 3)
            for seed in range(16)
            for columns in (slice(16), slice(-16, None))
        ]
    ).astype(float)
    assert corners.mean(axis=1).min() > 110
    assert corners.mean(axis=1).max() < 232
    assert np.ptp(corners, axis=1).max() < 80


def test_a_closed_curve_passes_through_its_points() -> None:
    points = [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)]
    curve = closed_curve(points)
    assert curve.shape == (32, 2)
    assert curve[::8].tolist() == [list(point) for point in points]


def test_an_open_curve_through_points_on_a_line_is_that_line() -> None:
    curve = open_curve([(0.0, 0.0), (1.0, 2.0), (2.0, 4.0)])
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [2, 4]
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])


def test_a_stroke_is_as_wide_as_asked() -> None:
    straight = stroke([(0.0, 0.0), (4.0, 0.0)], 1.0, 0.5)
    assert np.allclose(straight, [(0, 0.5), (4, 0.25), (4, -0.25), (0, -0.5)])
    through_three = stroke([(0.0, 0.0), (2.0, 0.0), (4.0, 0.0)], 1.0, 0.5)
    assert np.allclose(through_three[8], (2, 0.375))
    assert np.allclose(through_three[-9], (2, -0.375))


def test_frames_nest() -> None:
    outer = Frame.turned(90, (1.0, 0.0))
    inner = Frame.turned(0, (0.0, 2.0))
    assert np.allclose(outer(inner([(1.0, 0.0)])), inner.inside(outer)([(1.0, 0.0)]))
    assert np.allclose(outer([(1.0, 0.0)]), [(1.0, 1.0)])
