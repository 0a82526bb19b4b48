"""Classes are names: numbering them otherwise changes no figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from s2igan.engine.showcase import values_of
from s2igan.engine.tables import read_table, write_table
from s2igan.evaluation.evaluate import take_figures
from s2igan.sen.losses import distinctive_loss, matching_loss
from s2igan.sen.retrieval import Embedded, Judge, retrieval_figures
from tests.evaluation.world import World, full, settings

DRAWN_BY_CLASS = ("r_precision", "r_precision_by_critic")
"""Whose mismatched descriptions are drawn from a list in the order of the classes."""


def renumber(world: World, numbers: np.ndarray[Any, Any]) -> None:
    path = world.folder / "corpus" / "index.parquet"
    table = read_table(path, [])
    table["class_id"] = numbers[table["class_id"].to_numpy()].astype(np.int32)
    write_table(path, pa.Table.from_pandas(table, preserve_index=False))


def test_figures_of_drawn_pictures(tmp_path: Path) -> None:
    world = full(tmp_path)
    rng = np.random.default_rng(0)
    for place in range(0, len(world.drawn), 3):  # a third of the pictures show something else
        world.drawn[place] = world.drawn[rng.integers(len(world.drawn))]
    world.write()
    figures = []
    for _ in range(2):
        taken = take_figures(world.judged(), settings(), tmp_path / "embeddings", pytest.fail)
        flat = dict(values_of({k: v for k, v in taken.items() if k not in DRAWN_BY_CLASS}))
        figures.append(flat)
        renumber(world, rng.permutation(len(world.species)))
    assert len(figures[0]) > 20
    assert figures[0] == pytest.approx(figures[1], rel=1e-9)
    assert 0 < figures[0]["consistency/all_pairs/mAP"] < 1


def test_figures_of_retrieval() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 5, 40)
    speech, image = rng.standard_normal((2, 40, 6)).astype(np.float32)
    judge = Judge(seed=2, permutations=3, draws=100, protocol=())
    values = []
    for numbers in (np.arange(5), rng.permutation(5)):
        named = numbers[classes]
        first = np.array([np.flatnonzero(classes == c)[0] for c in range(5)])
        found = retrieval_figures(Embedded(speech, named), Embedded(image, named), first, judge)
        values.append([dict(values_of(group)) for group in found.values()])
    for one, other in zip(*values, strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_losses_of_sen() -> None:
    generator = torch.Generator().manual_seed(3)
    speech, image, logits, others = torch.randn(4, 12, 5, generator=generator).double()
    labels = torch.randint(5, (12,), generator=generator)
    numbers = torch.randperm(5, generator=generator)
    for reduction in ("mean", "sum"):
        torch.testing.assert_close(
            matching_loss(speech, image, labels, 10.0, reduction),
            matching_loss(speech, image, numbers[labels], 10.0, reduction),
        )
        back = numbers.argsort()
        torch.testing.assert_close(
            distinctive_loss(logits, others, labels, reduction),
            distinctive_loss(logits[:, back], others[:, back], numbers[labels], reduction),
        )
