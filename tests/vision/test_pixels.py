from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2igan.errors import UserError
from s2igan.vision.pixels import PackedPixels, PixelWriter

SHAPES = [(9, 9), (9, 14), (12, 9)]


@pytest.fixture
def packed(tmp_path: Path) -> PackedPixels:
    rng = np.random.default_rng(0)
    with PixelWriter(tmp_path) as writer:
        for height, width in SHAPES:
            writer.append(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return PackedPixels(tmp_path)


def test_pictures_come_back_as_they_were_packed(packed: PackedPixels) -> None:
    rng = np.random.default_rng(0)
    assert len(packed) == 3
    for index, (height, width) in enumerate(SHAPES):
        expected = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        assert np.array_equal(packed[index], expected)
    with pytest.raises(IndexError):
        packed[3]


def test_centre_crops_lie_in_the_middle(packed: PackedPixels) -> None:
    crops = packed.crops([1, 2, 1], 8, None)
    assert np.array_equal(crops[0], packed[1][0:8, 3:11])
    assert np.array_equal(crops[1], packed[2][2:10, 0:8])
    assert np.array_equal(crops[2], crops[0])


def test_random_crops_are_every_window_and_its_mirror(packed: PackedPixels) -> None:
    windows = {
        packed[1][top : top + 8, left : left + 8][:, ::step].tobytes()
        for top in range(2)
        for left in range(7)
        for step in (1, -1)
    }
    crops = packed.crops(np.full(600, 1), 8, np.random.default_rng(1))
    assert {crop.tobytes() for crop in crops} == windows
    drawn = packed.windows(np.full(2000, 1), 8, np.random.default_rng(1))
    assert drawn.flips.mean() == pytest.approx(0.5, abs=0.05)


def test_crops_repeat_with_the_generator(packed: PackedPixels) -> None:
    first, second = (packed.crops([0, 1, 2], 5, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_crop_larger_than_a_picture_is_refused(packed: PackedPixels) -> None:
    with pytest.raises(UserError, match="got 10 px; expected at most 9 px"):
        packed.crops([0, 1], 10, None)


@pytest.mark.parametrize("chosen", [np.array([False, True, True]), np.array([1.0])])
def test_a_mask_is_not_taken_for_row_numbers(packed: PackedPixels, chosen: Any) -> None:
    with pytest.raises(ValueError, match=rf"^indices are {chosen.dtype}, expected row numbers$"):
        packed.crops(chosen, 5, None)
    assert packed.crops([], 5, None).shape == (0, 5, 5, 3)


def test_missing_pixels_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pixels\.npy"):
        PackedPixels(tmp_path)
