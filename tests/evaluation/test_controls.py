from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2igan.evaluation.controls import control_figures, retrieve
from s2igan.evaluation.fidelity import frechet_distance
from s2igan.evaluation.figures import Resampling
from s2igan.evaluation.material import Attributes
from tests.evaluation.world import TEST_SPECIES, TRAIN_SPECIES, full

RESAMPLING = Resampling(seed=0, permutations=20, draws=100)


def controls(folder: Path, **kind: Any) -> dict[str, Any]:
    world = full(folder, **kind)
    world.write()
    judged = world.judged()
    attributes = Attributes.of(judged.material.corpus)
    return control_figures(judged, attributes, None, folder / "embeddings", RESAMPLING)


def test_right_pictures_win_and_wrong_speech_falls_to_chance(tmp_path: Path) -> None:
    figures = controls(tmp_path)
    for name in ("generated", "real"):
        assert figures[name]["mAP"]["value"] == pytest.approx(1.0)
        assert figures[name]["keywords"]["all"]["value"] == 1.0
        assert figures[name]["FID"]["value"] == pytest.approx(0, abs=0.1)
    wrong = figures["mismatched_speech"]
    assert wrong["mAP"]["value"] < 0.5
    assert wrong["keywords"]["all"]["value"] < 0.7
    retrieved = figures["retrieved_training_pictures"]
    assert retrieved["FID"]["value"] > 10
    # 24 pictures in 50 features
    assert "no more pictures than features" in " ".join(retrieved["FID"]["protocol"])
    assert retrieved["keywords"]["all"]["value"] < 0.7


def test_retrieval_takes_the_nearest_training_picture(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    images = np.load(tmp_path / "embeddings" / "image.npy")
    images[:, 1] = np.roll(images[:, 1], 1, axis=1)  # only centre views are searched
    np.save(tmp_path / "embeddings" / "image.npy", images)
    material = world.material()
    utterances = np.array(world.captions())
    found = material.image_classes[retrieve(material, tmp_path / "embeddings", utterances)]
    heard = TEST_SPECIES + material.classes[utterances] % TRAIN_SPECIES
    np.testing.assert_array_equal(found, heard)


def test_a_real_picture_is_not_among_those_that_chance_lets_it_find(tmp_path: Path) -> None:
    chance = controls(tmp_path)["real"]["mAP"]["chance"]
    # Twelve pictures, three of each species: two of the eleven others are relevant.
    places = np.array([*combinations(range(1, 12), 2)])
    exact = ((1 / places[:, 0] + 2 / places[:, 1]) / 2).mean()
    assert chance == pytest.approx(exact, abs=0.03)


def with_mismatched(folder: Path, count: int) -> dict[str, Any]:
    """Judge a world with fewer utterances that were drawn from another's speech.

    The pictures of the other utterances are wrong.
    """
    world = full(folder)
    mismatched = [row for row, one in enumerate(world.samples) if one["set"] == "mismatched"]
    for row in reversed(mismatched[count:]):
        del world.samples[row], world.drawn[row]
    kept = {one["target"] for one in world.samples if one["set"] == "mismatched"}
    for row, one in enumerate(world.samples):
        if one["set"] == "test" and one["target"] not in kept:
            world.drawn[row] = (world.drawn[row] + 1) % 2  # shows nothing right
    world.write()
    judged = world.judged()
    attributes = Attributes.of(judged.material.corpus)
    return control_figures(judged, attributes, None, folder / "embeddings", RESAMPLING)


def test_one_picture_alone_has_no_distance(tmp_path: Path) -> None:
    figures = with_mismatched(tmp_path, 1)
    assert [list(row["FID"]) for row in figures.values()] == [["absent"]] * 4
    assert "value" in figures["mismatched_speech"]["mAP"]


def test_every_row_is_judged_on_the_same_utterances(tmp_path: Path) -> None:
    figures = with_mismatched(tmp_path, 10)
    for row in figures.values():
        assert row["keywords"]["all"]["protocol"][0] == "20 mentions"
        assert row["FID"]["protocol"][0].startswith("10 ")
    assert figures["generated"]["keywords"]["all"]["value"] == 1.0


def test_fewer_fresh_pictures_still_show_every_species(tmp_path: Path) -> None:
    figures = with_mismatched(tmp_path, 10)
    # The ten utterances of the other row are of two of the four species.
    assert figures["real"]["FID"]["value"] < 0.5 * figures["generated"]["FID"]["value"]


def test_every_row_is_judged_by_its_own_pictures(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    judged, embeddings = world.judged(), tmp_path / "embeddings"
    material = judged.material
    figures: dict[str, Any] = control_figures(judged, None, "none", embeddings, RESAMPLING)
    drawn = material.drawn_captions
    reference = judged.real.take(material.image_rows("reference"))
    pictures = {
        "generated": judged.drawn.take(drawn),
        "mismatched_speech": judged.drawn.take(material.drawn_rows("mismatched")),
        "retrieved_training_pictures": judged.real.take(
            retrieve(material, embeddings, material.targets(drawn))
        ),
    }
    expected = {name: frechet_distance(seen, reference) for name, seen in pictures.items()}
    assert len(set(expected.values())) == 3
    for name, distance in expected.items():
        assert figures[name]["FID"]["value"] == pytest.approx(distance, rel=1e-9)


def test_without_mismatched_speech_its_row_alone_is_absent(tmp_path: Path) -> None:
    figures = controls(tmp_path, shown=("draws",))
    assert list(figures["mismatched_speech"]) == ["absent"]
    assert figures["generated"]["mAP"]["value"] == pytest.approx(1.0)


def test_where_test_pictures_are_the_reference_their_distance_is_absent(tmp_path: Path) -> None:
    figures = controls(tmp_path, fresh=False)
    assert list(figures["real"]["FID"]) == ["absent"]
    assert figures["real"]["mAP"]["value"] == pytest.approx(1.0)
