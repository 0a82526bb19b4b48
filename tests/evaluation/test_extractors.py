"""What a network sees in a picture is the same whatever stands beside it in the batch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from s2igan.engine.pictures import Picture
from s2igan.evaluation.judge import Judge, Rows
from s2igan.evaluation.material import Material
from s2igan.evaluation.networks import load_judge
from s2igan.rdg.networks import to_scales
from s2igan.vision.interface import Backbone
from s2igan.vision.pixels import PackedPixels
from tests.evaluation.world import SIZE, full

REAL = ("squeezenet1_1/keras", "inception_v3/fid2015/Mixed_6e")


def pictures(count: int, side: int) -> Picture:
    """Pictures of blocks, so that they differ in more than noise."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return blocks.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def features(network: Backbone, shown: Picture, batch_size: int) -> npt.NDArray[np.float32]:
    def source(rows: Rows) -> Picture:
        return np.asarray(shown[rows], np.uint8)

    judge = Judge(network, torch.device("cpu"), batch_size=batch_size)
    return judge.see(source, np.arange(len(shown)), "pictures").features


def check(network: Backbone, side: int) -> None:
    shown = pictures(7, side)
    whole = features(network, shown, 7)
    spread = float(whole.std())
    assert spread > 0
    tolerance = 1e-4 * spread
    np.testing.assert_allclose(features(network, shown, 1), whole, atol=tolerance)
    np.testing.assert_allclose(features(network, shown, 3), whole, atol=tolerance)
    others = shown.copy()
    others[1:] = 255 - others[1:]  # the first picture among strangers
    np.testing.assert_allclose(features(network, others, 7)[0], whole[0], atol=tolerance)
    np.testing.assert_allclose(features(network, shown[::-1], 7)[::-1], whole, atol=tolerance)


@pytest.mark.parametrize("name", ["compact", "reader"])
def test_shipped_networks_see_a_picture_by_itself(name: str, tmp_path: Path) -> None:
    check(load_judge(name, tmp_path), 64)


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_networks_see_a_picture_by_itself(name: str, real_data: Path) -> None:
    check(load_judge(name, real_data / "weights"), 64)


def test_real_pictures_are_shown_as_in_training(tmp_path: Path) -> None:
    full(tmp_path).write()
    folders = (tmp_path / "corpus", tmp_path / "features", tmp_path / "samples")
    rows = np.array([0, 3, 11])
    for crop in (SIZE, SIZE + 4):
        material = Material(*folders, crop=crop)
        squares = PackedPixels(tmp_path / "features").crops(rows, crop, None)
        trained = to_scales(torch.from_numpy(squares), (SIZE // 4, SIZE // 2, SIZE))[-1]
        as_bytes = (trained.permute(0, 2, 3, 1).numpy() + 1) * 127.5
        assert np.abs(material.real(rows).astype(np.float32) - as_bytes).max() <= 0.5 + 1e-3
