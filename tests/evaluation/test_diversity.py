from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from s2igan.engine.showcase import values_of
from s2igan.evaluation import diversity
from s2igan.evaluation.diversity import diversity_figures, pixel_vectors
from s2igan.evaluation.figures import Resampling
from tests.evaluation.world import World, full

RESAMPLING = Resampling(seed=0, permutations=5, draws=100)


@pytest.mark.parametrize("side", [4, 128])
def test_black_and_white_are_one_apart(side: int) -> None:
    pictures = np.stack([np.full((side, side, 3), grey, np.uint8) for grey in (0, 255)])
    black, white = pixel_vectors(lambda rows: pictures[rows], np.arange(2))
    assert np.linalg.norm(black - white) == pytest.approx(1.0, rel=1e-5)
    assert len(black) == 3 * min(side, 64) ** 2


def test_larger_pictures_are_averaged() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    cells = pictures.reshape(2, 64, 2, 64, 2, 3).mean(axis=(2, 4)) / 255
    first, second = pixel_vectors(lambda rows: pictures[rows], np.arange(2))
    expected = np.sqrt(np.square(cells[0] - cells[1]).mean())
    assert np.linalg.norm(first - second) == pytest.approx(expected, rel=1e-5)


def test_pictures_of_one_sentence_or_species_are_held_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    calls = Mock()
    for name in ("pixel_vectors", "mean_pairwise_distance"):
        calls.attach_mock(Mock(side_effect=getattr(diversity, name)), name)
        monkeypatch.setattr(diversity, name, getattr(calls, name))
    diversity_figures(world.judged(), RESAMPLING)
    groups = calls.mean_pairwise_distance.call_count // 2  # by features and by pixels
    assert groups > 1
    first = [call[0] for call in calls.mock_calls[: 3 * groups : 3]]
    assert first == ["pixel_vectors"] * groups


def test_draws_spread_as_the_pictures_do(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    judged = world.judged()
    figures: dict[str, Any] = diversity_figures(judged, RESAMPLING)
    rows = judged.material.drawn_rows("draws")
    spreads = []
    for group in rows.reshape(-1, 8):
        flat = judged.material.drawn(group).reshape(8, -1) / 255.0
        spreads += [np.sqrt(((flat[i] - flat[j]) ** 2).mean()) for i in range(8) for j in range(i)]
    assert figures["draws"]["pixels"]["value"] == pytest.approx(np.mean(spreads), rel=1e-4)
    # Both are noise under the same values, so drawn and real pictures spread alike.
    real = figures["real_of_one_species"]["pixels"]["value"]
    assert real == pytest.approx(np.mean(spreads), rel=0.02)


def test_a_remembered_training_picture_is_at_no_distance(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    images = np.load(tmp_path / "samples" / "images.npy")
    material = world.material()
    images[: len(world.captions())] = material.real(material.image_rows("train")[:1])
    np.save(tmp_path / "samples" / "images.npy", images)
    flat = dict(values_of(diversity_figures(world.judged(), RESAMPLING)))
    # Squared distances are differences of float32 squares; their root keeps half the digits.
    assert flat["nearest_training/generated/pixels"] == pytest.approx(0, abs=2e-3)
    assert flat["nearest_training/generated/features"] == pytest.approx(0, abs=2e-2)
    assert flat["nearest_training/real_test/pixels"] > 0.3


def test_the_first_drawn_picture_of_every_real_one_is_compared(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.samples.reverse()  # the samples of the captions do not come first
    world.drawn.reverse()
    world.write()
    judged = world.judged()
    material = judged.material
    rows = material.drawn_rows("test")
    pictures = material.described[material.targets(rows)].tolist()
    first = [rows[pictures.index(picture)] for picture in sorted(set(pictures))]
    training = judged.real.take(material.image_rows("train")).features.astype(np.float64)
    nearest = [np.linalg.norm(training - judged.drawn.features[row], axis=1).min() for row in first]
    figures: Any = diversity_figures(judged, RESAMPLING)
    found = figures["nearest_training"]["generated"]["features"]
    assert len(nearest) == 12
    assert found["value"] == pytest.approx(np.mean(nearest), rel=1e-4)
    by_species = np.reshape(nearest, (4, 3)).sum(axis=1)  # three pictures of each
    np.testing.assert_allclose(found.sums.sums, by_species, rtol=1e-4)
    np.testing.assert_array_equal(figures["draws"]["pixels"].sums.classes, [0, 1, 2, 3])


def test_two_pictures_of_a_species_are_a_group_and_one_is_none(tmp_path: Path) -> None:
    world = full(tmp_path)
    fresh = [row for row in world.images if row["split"] == "reference"]
    for number, kept in ((0, 2), (1, 1)):
        for row in [row for row in fresh if row["class_id"] == number][kept:]:
            world.images = [one for one in world.images if one is not row]
    world.write()
    figures: Any = diversity_figures(world.judged(), RESAMPLING)
    assert figures["real_of_one_species"]["pixels"].sums.classes.tolist() == [0, 2, 3]


def test_without_repeated_draws_the_group_is_absent(tmp_path: Path) -> None:
    world: World = full(tmp_path, shown=())
    world.write()
    figures = diversity_figures(world.judged(), RESAMPLING)
    assert figures["draws"] == {"absent": ["no sentence was drawn more than once"]}
