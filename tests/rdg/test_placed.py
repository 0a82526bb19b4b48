"""Batches on their way to the device: whichever way they take, a step sees the same numbers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from s2igan.rdg.placed import place
from s2igan.rdg.step import RdgStep
from s2igan.vision.device_pixels import Crops, DevicePixels
from s2igan.vision.pixels import PackedPixels, PixelWriter
from tests.rdg.makers import EMBEDDING_DIM, random_batch, rdg_config

CPU = torch.device("cpu")
KINDS = ["translation", "cutout", "contrast"]


def weights_after(batch: Any, **changes: Any) -> list[Tensor]:
    config = rdg_config(**changes)
    step = RdgStep(config, embedding_dim=EMBEDDING_DIM, embed_image=None, device=CPU)
    step(3, batch)
    return [value.detach() for value in step.averaged_generator.parameters()]


def test_pictures_cut_on_the_device_train_the_same_network(tmp_path: Path) -> None:
    changes = {"wrong_pairs": "pictures", "augment": KINDS}
    batch = random_batch(rdg_config(**changes))
    rng = np.random.default_rng(0)
    with PixelWriter(tmp_path) as writer:
        for _ in range(5):
            writer.append(rng.integers(0, 256, (40, 36, 3), np.uint8))
    packed = PackedPixels(tmp_path)
    rows = {"real": [0, 4, 2, 2], "wrong": [1, 0, 3, 4]}
    trained = []
    for source in (packed, DevicePixels(packed, CPU)):
        drawn = np.random.default_rng(5)
        pictures: dict[str, Any] = {k: source.crops(v, 32, drawn) for k, v in rows.items()}
        trained.append(weights_after(dataclasses.replace(batch, **pictures), **changes))
    assert isinstance(pictures["real"], Crops)
    assert all(torch.equal(a, b) for a, b in zip(*trained, strict=True))


def test_a_placed_batch_is_its_tensors() -> None:
    config = rdg_config(wrong_pairs="pictures", augment=KINDS)
    draws = torch.Generator().manual_seed(0)
    placed = place(random_batch(config), config, (8, 16, 32), draws, CPU)
    tensors = placed.tensors()
    again = placed.with_tensors([value + 1 for value in tensors])
    assert torch.equal(again.noise, placed.noise + 1)
    assert torch.equal(again.drawn[2][1][0][1], placed.drawn[2][1][0][1] + 1)
    assert len(again.tensors()) == len(tensors)
    for moved, value in zip(again.tensors(), tensors, strict=True):
        assert torch.equal(moved, value + 1)


Pictures = npt.NDArray[Any]


@pytest.mark.parametrize("name", ["real", "wrong"])
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda x: (x / 255).astype(np.float32), r"float32 \(4, 32, 32, 3\)"),
        (lambda x: x.astype(np.int64), r"int64 \(4, 32, 32, 3\)"),
        (torch.from_numpy, r"torch.uint8 \(4, 32, 32, 3\)"),
        (lambda x: x.transpose(0, 3, 1, 2), r"uint8 \(4, 3, 32, 32\)"),
        (lambda x: x[:, 1:], r"uint8 \(4, 31, 32, 3\)"),
        (lambda x: x[..., :1], r"uint8 \(4, 32, 32, 1\)"),
        (lambda x: x[:1], r"uint8 \(1, 32, 32, 3\)"),
        (lambda x: x[0], r"uint8 \(32, 32, 3\)"),
    ],
    ids=["0 to 1", "int64", "tensor", "channels first", "not square", "grey", "one", "no batch"],
)
def test_what_is_no_batch_of_pictures_is_refused(
    name: str, made: Callable[[Pictures], Any], said: str
) -> None:
    config = rdg_config(wrong_pairs="pictures")
    batch = random_batch(config)
    batch = dataclasses.replace(batch, **{name: made(getattr(batch, name))})
    with pytest.raises(ValueError, match=rf"`{name}` .*{said}, not uint8 \(4, side, side, 3\)$"):
        place(batch, config, (8, 16, 32), torch.Generator(), CPU)


def test_a_batch_of_any_side_is_taken() -> None:
    batch = random_batch(rdg_config())
    assert isinstance(batch.real, np.ndarray)
    large = dataclasses.replace(batch, real=batch.real.repeat(2, axis=1).repeat(2, axis=2))
    for one, other in zip(weights_after(batch), weights_after(large), strict=True):
        torch.testing.assert_close(one, other)
