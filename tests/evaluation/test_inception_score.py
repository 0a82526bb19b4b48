"""The inception score from a network of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from s2igan.corpora.fine_tuning import file_name
from s2igan.evaluation import evaluate as stage
from s2igan.evaluation.fidelity import fidelity_figures
from s2igan.evaluation.fine_tune import main
from s2igan.evaluation.fine_tuned import FineTuned, load_fine_tuned
from s2igan.evaluation.inception_score import inception_score
from s2igan.evaluation.judge import Judge, Rows, Seen
from s2igan.evaluation.material import Judged
from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput
from tests.evaluation.test_evaluate import run_stage
from tests.evaluation.test_fine_tuned import facts
from tests.evaluation.world import PlantedBackbone, World, embed_truth, full, settings

CPU = torch.device("cpu")
CLASS_COUNT = 8


class OneHot(Backbone):
    """Sees pictures whose first value tells their class."""

    def __init__(self) -> None:
        super().__init__("one hot", CLASS_COUNT, 16)

    def look(self, images: Tensor) -> BackboneOutput:
        codes = (images[:, 0, 0, 0] * 255).round().long()
        return BackboneOutput(nn.functional.one_hot(codes, CLASS_COUNT).float(), None)


def extractor(weight: Tensor) -> FineTuned:
    head = nn.Linear(CLASS_COUNT, CLASS_COUNT, bias=False)
    head.weight.data = weight
    names = [f"class {number}" for number in range(CLASS_COUNT)]
    return FineTuned(OneHot(), head, facts(classes=names)).freeze()


def seen(network: FineTuned, classes: Rows) -> Seen:
    pictures = np.zeros((len(classes), 16, 16, 3), np.uint8)
    pictures[:, 0, 0, 0] = classes
    return Judge(network, CPU).see(lambda rows: pictures[rows], np.arange(len(classes)), "x")


def test_no_opinion_scores_1_and_sure_ones_the_number_of_classes() -> None:
    config = settings(is_splits=1)
    classes = np.tile(np.arange(CLASS_COUNT), 6)
    blank = seen(extractor(torch.zeros(CLASS_COUNT, CLASS_COUNT)), classes)
    assert inception_score(blank, config) == pytest.approx(1.0)
    sure = extractor(100 * torch.eye(CLASS_COUNT))
    assert inception_score(seen(sure, classes), config) == pytest.approx(CLASS_COUNT)
    three = np.tile(np.arange(3), 6)
    assert inception_score(seen(sure, three), config) == pytest.approx(3.0)
    one = np.zeros(20, np.int64)
    assert inception_score(seen(sure, one), config) == pytest.approx(1.0)


def test_a_network_without_a_softmax_has_no_score() -> None:
    assert inception_score(Seen(np.zeros((4, 2), np.float32), {}), settings()) is None


def score_by_hand(logits: np.ndarray[Any, Any]) -> float:
    p = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return float(np.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean()))


class Sure(PlantedBackbone):
    """A classifier whose logits are two means of the pixels."""

    def look(self, images: Tensor) -> BackboneOutput:
        logits = 40 * images[:, 1:, 1:].mean(dim=(2, 3))  # (N, 2)
        return BackboneOutput(super().look(images).features, {CLASSES: logits})


@pytest.mark.parametrize("fresh", [True, False])
def test_only_the_inception_score_is_taken_from_it(tmp_path: Path, fresh: bool) -> None:
    world = full(tmp_path, fresh=fresh)
    world.write()
    config = settings(is_splits=1, kid_subset_size=4)
    material, judge = world.material(), Judge(PlantedBackbone(), CPU)
    network = Sure(name="sure")
    classifier = Judge(network, CPU, role="inception score")
    plain = fidelity_figures(Judged.of(material, judge), config)
    judged = Judged.of(material, judge, None, classifier)
    own: Any = fidelity_figures(judged, config)
    floor = material.image_rows("floor" if fresh else "test")
    train, drawn = material.image_rows("train"), material.drawn_rows("test")
    assert network.pictures == len(floor) + len(train) + len(drawn)
    sets = {"generated": (material.drawn, drawn), "species_shift": (material.real, train)}
    if fresh:
        sets["floor"] = (material.real, floor)
    for name, (source, rows) in sets.items():
        logits = classifier.see(source, rows, name).logits
        assert logits is not None
        assert own[name]["IS"]["value"] == pytest.approx(score_by_hand(logits[CLASSES]))
        assert f"{len(rows)} " in own[name]["IS"]["protocol"][0]
    for name, row in own.items():
        assert any("inception score: sure" in line for line in row["IS"]["protocol"])
        assert "softmax over all 2 classes, 1 splits" in row["IS"]["protocol"]
        before: Any = plain[name]
        assert before["IS"]["value"] != row["IS"]["value"]
        assert {**row, "IS": None} == {**before, "IS": None}


def test_a_network_of_its_own_without_a_softmax_leaves_it_absent(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    blind = Judge(PlantedBackbone(reads=False, name="blind"), CPU, role="inception score")
    judge = Judge(PlantedBackbone(), CPU)
    figures: Any = fidelity_figures(
        Judged.of(world.material(), judge, None, blind), settings(kid_subset_size=4)
    )
    for row in figures.values():
        assert row["IS"] == {"absent": ["inception score: blind, 50 features, without a softmax"]}
        assert "value" in row["FID"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world to judge, and beside it a network fine-tuned on its test species."""
    world = full(tmp_path)
    world.write()
    monkeypatch.setattr(stage, "load_judge", lambda *_: PlantedBackbone())
    monkeypatch.setattr(stage, "load_image_embedding", lambda *_: embed_truth)
    places = [f"--corpus={tmp_path / 'corpus'}", f"--features={tmp_path / 'features'}"]
    out = tmp_path / file_name("planted")
    recipe = ["--backbone=compact", "--steps=5", "--batch=4", "--crop=16"]
    assert main([*places, f"--weights={tmp_path}", f"--out={out}", *recipe]) == 0
    return world


def test_the_stage_takes_the_score_from_the_fine_tuned_network(
    world: World, tmp_path: Path
) -> None:
    config = settings(is_backbone="fine_tuned", is_splits=1)
    figures = run_stage(world, tmp_path / "out", config)
    material = world.material()
    network = load_fine_tuned(tmp_path, material.corpus)
    rows = material.drawn_rows("test")
    logits = Judge(network, CPU).see(material.drawn, rows, "drawn").logits
    assert logits is not None
    generated = figures["fidelity"]["generated"]
    by_hand = score_by_hand(logits[CLASSES])
    assert generated["IS"]["value"] == pytest.approx(by_hand, rel=1e-4)
    told = [line for line in generated["IS"]["protocol"] if line.startswith("inception score: ")]
    assert len(told) == 1
    assert "the head alone trained on the 4 test classes" in told[0]
    assert not [line for line in generated["FID"]["protocol"] if "fine_tuned" in line]


def test_a_network_that_looks_already_is_not_loaded_again(world: World, tmp_path: Path) -> None:
    plain = run_stage(world, tmp_path / "plain", settings())
    same = run_stage(world, tmp_path / "same", settings(is_backbone="reader"))
    assert same == plain
