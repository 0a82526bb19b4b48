"""Samples of the split val: everything is judged there, and no test picture is looked at."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2igan.engine.pictures import Picture
from s2igan.evaluation.grids import choose_sentences, samples_row
from s2igan.evaluation.material import Material
from s2igan.vision.pixels import PackedPixels
from tests.evaluation.test_evaluate import evaluate
from tests.evaluation.world import SIZE, World, full, settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of the packed pictures that anything asks for."""
    rows: list[int] = []
    crops = PackedPixels.crops

    def recording(self: PackedPixels, indices: Any, size: int, rng: Any) -> Picture:
        rows.extend(np.asarray(indices).tolist())
        return crops(self, indices, size, rng)

    monkeypatch.setattr(PackedPixels, "crops", recording)
    return rows


def sentences(group: Mapping[str, Any]) -> list[str]:
    if "absent" in group:
        return list(group["absent"])
    if "value" in group:
        return list(group["protocol"])
    return [line for item in group.values() for line in sentences(item)]


def judged_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, dict[str, Any]]:
    world = full(folder, split="val")
    world.write()
    figures, _, _ = evaluate(world, monkeypatch, folder / "out", settings(kid_subset_size=500))
    return world, figures


def test_no_picture_of_a_test_class_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    world, _ = judged_world(tmp_path, monkeypatch)
    assert {world.images[row]["split"] for row in asked} == {"train", "val"}


def test_every_group_is_of_val_classes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, figures = judged_world(tmp_path, monkeypatch)
    assert figures["swap"] == {
        "absent": ["changed sentences are of test classes, the samples of val classes"]
    }
    said = [line for name in figures if name != "swap" for line in sentences(figures[name])]
    assert not [line for line in said if "test" in line and "corpus planted" not in line]
    for group in ("fidelity", "consistency", "r_precision", "keywords", "diversity", "controls"):
        assert any("drawn for val classes" in line for line in sentences(figures[group]))
    generated = figures["fidelity"]["generated"]["FID"]["protocol"][0]
    assert generated == "24 pictures drawn from val utterances against 12 real val pictures"
    floor = figures["fidelity"]["floor"]["FID"]["protocol"][0]
    assert floor == "6 real pictures against 6 others: the two halves of the real val pictures"
    assert list(figures["diversity"]["nearest_training"]) == ["generated", "real_val"]
    table = (tmp_path / "out" / "metrics" / "classes.tsv").read_text().splitlines()[1:]
    assert {line.split("\t")[1] for line in table} == {f"species {n}" for n in (7, 8, 9)}


def test_true_pictures_win_on_val_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, figures = judged_world(tmp_path, monkeypatch)
    assert figures["consistency"]["all_pairs"]["mAP"]["value"] == pytest.approx(1.0)
    assert figures["keywords"]["generated"]["all"]["value"] == 1.0
    # As many pictures per subset as the smaller half of the val pictures has.
    kid = figures["fidelity"]["generated"]["KID"]["protocol"]
    assert any(line.endswith("subsets of 6") for line in kid)


def test_the_authors_queries_are_of_test_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path, split="val")
    world.write()
    config = settings(queries="authors", kid_subset_size=6)
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out", config)
    assert figures["consistency"]["paper_protocol"] == {
        "absent": ["the authors' query pictures are of test classes, the samples of val classes"]
    }


def test_figures_do_not_depend_on_the_test_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, figures = judged_world(tmp_path, monkeypatch)
    packed = np.load(tmp_path / "features" / "pixels.npy").reshape(len(world.images), -1)
    packed[[row["split"] in ("test", "reference", "floor") for row in world.images]] = 0
    np.save(tmp_path / "features" / "pixels.npy", packed.reshape(-1))
    again, _, _ = evaluate(world, monkeypatch, tmp_path / "out", settings(kid_subset_size=500))
    assert json.dumps(again) == json.dumps(figures)


def test_the_row_shows_the_sentences_of_the_grid(tmp_path: Path) -> None:
    world = full(tmp_path, split="val")
    world.write()
    material: Material = world.material()
    row = samples_row(material, 3, seed=0)
    assert row.shape == (2 * SIZE, 3 * SIZE, 3)
    for place, group in enumerate(choose_sentences(material, 3, seed=0)):
        described, shown = np.split(row[:, place * SIZE : (place + 1) * SIZE], 2)
        pictures = material.described[material.targets(group[:1])]
        np.testing.assert_array_equal(described, material.real(pictures)[0])
        np.testing.assert_array_equal(shown, material.drawn(group[:1])[0])
