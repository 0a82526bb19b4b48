from pathlib import Path

import numpy as np
import pytest
import torch

from s2igan.vision import device_pixels
from s2igan.vision.device_pixels import Crops, DevicePixels, open_pixels
from s2igan.vision.pixels import PackedPixels, PixelWriter

CPU = torch.device("cpu")


@pytest.fixture
def packed(tmp_path: Path) -> PackedPixels:
    rng = np.random.default_rng(0)
    with PixelWriter(tmp_path) as writer:
        for height, width in ((12, 15), (20, 12), (12, 12), (30, 17)):
            writer.append(rng.integers(0, 256, (height, width, 3), np.uint8))
    return PackedPixels(tmp_path)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_crops_cut_on_the_device_are_those_of_the_host(
    packed: PackedPixels, seed: int | None
) -> None:
    chosen = np.array([3, 0, 1, 1, 2, 3, 0])
    lazy = DevicePixels(packed, CPU)
    ours, theirs = (None if seed is None else np.random.default_rng(seed) for _ in range(2))
    crops = lazy.crops(chosen, 12, ours)
    assert isinstance(crops, Crops)
    np.testing.assert_array_equal(crops.cut().numpy(), packed.crops(chosen, 12, theirs))
    if ours is not None and theirs is not None:
        assert ours.random() == theirs.random()  # what is drawn next is the same, too


def test_pictures_that_arrive_in_parts_are_whole_and_each_process_cuts_its_own(
    packed: PackedPixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_pixels, "_CHUNK", 100)
    chosen, mine = np.array([3, 0, 1, 1, 2, 3, 0]), slice(2, 5)
    lazy = DevicePixels(packed, CPU)
    ours, theirs = (np.random.default_rng(0) for _ in range(2))
    cut = lazy.crops(chosen, 12, ours, mine).cut().numpy()
    np.testing.assert_array_equal(cut, packed.crops(chosen, 12, theirs, mine))
    assert len(cut) == 3


@pytest.mark.usefixtures("packed")
def test_without_a_gpu_pictures_stay_on_disk(tmp_path: Path) -> None:
    assert isinstance(open_pixels(tmp_path, CPU), PackedPixels)
