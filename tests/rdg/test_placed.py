"""Batches on their way to the device: whichever way they take, a step sees the same numbers."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
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
    batch = random_batch(rdg_config(wrong_pairs="pictures"))
    draws = torch.Generator().manual_seed(0)
    placed = place(batch, KINDS, (8, 16, 32), draws, CPU)
    tensors = placed.tensors()
    again = placed.with_tensors([value + 1 for value in tensors])
    assert torch.equal(again.noise, placed.noise + 1)
    assert torch.equal(again.drawn[2][1][0][1], placed.drawn[2][1][0][1] + 1)
    assert len(again.tensors()) == len(tensors)
    for moved, value in zip(again.tensors(), tensors, strict=True):
        assert torch.equal(moved, value + 1)
