import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from s2igan.engine.pictures import Picture
from s2igan.vision.crops import (
    CENTRE,
    RESAMPLING,
    View,
    crop_box,
    draw_views,
    resize_shorter_side,
    square_view,
)


def numbered(height: int, width: int) -> Picture:
    """A picture whose pixels tell their row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_box_crop_is_the_square_of_the_paper() -> None:
    # Centre (50, 40), r = 0.75 * max(20, 12) = 15.
    cut = crop_box(numbered(100, 120), (40, 34, 20, 12), scale=1.5)
    assert cut.shape == (30, 30, 3)
    assert cut[0, 0].tolist() == [25, 35, 0]
    assert cut[-1, -1].tolist() == [54, 64, 0]


def test_box_crop_is_clipped_at_the_edges() -> None:
    # Centre (10, 95), r = 30: columns 0..39, rows 65..99.
    cut = crop_box(numbered(100, 120), (-10, 75, 40, 40), scale=1.5)
    assert cut[0, 0].tolist() == [65, 0, 0]
    assert cut[-1, -1].tolist() == [99, 39, 0]


@pytest.mark.parametrize("box", [(500, 500, 10, 10), (50, 50, 0, 0), (-90, -90, 3, 3)])
def test_a_box_beside_the_picture_leaves_pixels(box: tuple[int, int, int, int]) -> None:
    assert crop_box(numbered(100, 120), box, scale=1.5).size > 0


def test_without_a_box_the_picture_stays() -> None:
    picture = numbered(20, 30)
    assert np.array_equal(crop_box(picture, None, scale=1.5), picture)


@pytest.mark.parametrize(
    ("size", "expected"), [((50, 100), (76, 152)), ((301, 200), (114, 76)), ((76, 90), (76, 90))]
)
def test_the_shorter_side_is_resized(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert resize_shorter_side(numbered(*size), 76).shape == (*expected, 3)


def test_centre_view_is_resize_and_centre_crop() -> None:
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture = np.asarray(smooth.resize((400, 304), RESAMPLING))
    resized = np.asarray(Image.fromarray(picture).resize((100, 76), RESAMPLING))
    view = square_view(picture, CENTRE, share=256 / 304, size=64)
    two_steps = resized[6:70, 18:82]
    assert np.abs(view.astype(int) - two_steps).max() <= 3


def test_views_reach_both_ends_and_flip() -> None:
    picture = numbered(100, 120)
    left_top = square_view(picture, View(0.0, 0.0, flip=False), share=0.5, size=50)
    right_bottom = square_view(picture, View(1.0, 1.0, flip=False), share=0.5, size=50)
    flipped = square_view(picture, View(0.0, 0.0, flip=True), share=0.5, size=50)
    assert np.array_equal(left_top, picture[:50, :50])
    assert np.array_equal(right_bottom, picture[50:, 70:])
    assert np.array_equal(flipped, left_top[:, ::-1])


def test_views_depend_on_seed_and_picture_alone() -> None:
    assert draw_views(3, 7, 4) == draw_views(5, 7, 4)[:3]
    assert draw_views(3, 7, 4) != draw_views(3, 7, 5)
    assert draw_views(3, 7, 4) != draw_views(3, 8, 4)
    views = [view for index in range(500) for view in draw_views(1, 0, index)]
    assert 0.4 < np.mean([view.flip for view in views]) < 0.6
    assert 0.45 < np.mean([view.across for view in views]) < 0.55


def test_worker_processes_need_no_torch() -> None:
    check = "import sys, s2igan.vision.preparation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
