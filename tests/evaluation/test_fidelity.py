from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.linalg import sqrtm

from s2igan.engine.showcase import values_of
from s2igan.errors import UserError
from s2igan.evaluation.fidelity import fidelity_figures, frechet_distance, measure
from s2igan.evaluation.inception_score import inception_score, softmax_of_is
from s2igan.evaluation.judge import Seen
from s2igan.vision.interface import CLASSES, BackboneOutput
from tests.evaluation.world import PlantedBackbone, World, full, settings

Floats = npt.NDArray[np.float32]


def seen(features: npt.ArrayLike, logits: npt.ArrayLike | None = None) -> Seen:
    held = {} if logits is None else {"belly": np.asarray(logits, np.float32)}
    return Seen(np.asarray(features, np.float32), held)


def gaussian(count: int, dimension: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def whitened(count: int, dimension: int, seed: int) -> npt.NDArray[np.float64]:
    """Features whose sample mean is 0 and whose sample covariance is the identity."""
    x = gaussian(count, dimension, seed).astype(np.float64)
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T


def test_frechet_distance_of_gaussians_is_analytic() -> None:
    # ||m1 - m2||^2 + sum (s1 - s2)^2 where the covariances are diagonal.
    a, b = whitened(400, 6, 0), whitened(500, 6, 1)
    shift, scale = np.arange(6) / 2, np.array([1, 2, 3, 1, 1, 0.5])
    expected = (shift**2).sum() + ((scale - 1) ** 2).sum()
    assert frechet_distance(seen(a * scale + shift), seen(b)) == pytest.approx(expected, rel=1e-4)


def test_frechet_distance_agrees_with_a_matrix_square_root() -> None:
    a, b = gaussian(300, 8, 2) * 2, gaussian(200, 8, 3) @ gaussian(8, 8, 4)
    mean = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(first @ second).real
    expected = mean @ mean + np.trace(first + second - 2 * root)
    assert frechet_distance(seen(a), seen(b)) == pytest.approx(expected, rel=1e-4)


def test_inception_score_agrees_with_its_definition() -> None:
    logits = gaussian(60, 8, 5) * 2
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    expected = np.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())
    features = gaussian(60, 4, 6)
    got = measure(seen(features, logits), seen(features, logits), settings(is_splits=1))
    assert got["IS"] == pytest.approx(expected, rel=1e-5)


def test_the_softmax_is_that_of_the_attribute_or_of_all_classes() -> None:
    features, sure = gaussian(40, 4, 0), np.tile(1000 * np.eye(8, dtype=np.float32), (5, 1))
    photographs = Seen(features, {CLASSES: sure})
    assert softmax_of_is(photographs, settings()) == CLASSES
    measured = measure(photographs, photographs, settings(is_splits=1))
    assert measured["IS"] == pytest.approx(8.0)
    both = Seen(features, {CLASSES: np.zeros((40, 8), np.float32), "belly": sure})
    assert softmax_of_is(both, settings(attribute_of_is="belly")) == "belly"
    assert softmax_of_is(Seen(features, {}), settings()) is None


def test_a_set_is_at_no_distance_from_itself() -> None:
    features = seen(gaussian(50, 6, 7))
    measured = measure(features, features, settings(kid_subset_size=50))
    assert measured["FID"] == pytest.approx(0, abs=1e-5)
    assert measured["precision"] == measured["recall"] == 1.0
    assert "IS" not in measured  # this judge has no logits


@pytest.mark.parametrize("offset", [0, 100])  # far from zero its terms nearly cancel out
def test_kernel_distance_agrees_with_its_definition(offset: float) -> None:
    a, b = ((gaussian(30, 5, seed) + offset).astype(np.float64) for seed in (8, 9))
    b = (b + 0.5).astype(np.float32).astype(np.float64)

    def kernel(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((x @ y.T / 5 + 1) ** 3)

    def off_diagonal_mean(k: npt.NDArray[np.float64]) -> float:
        return float((k.sum() - np.trace(k)) / (30 * 29))

    expected = (
        off_diagonal_mean(kernel(a, a)) + off_diagonal_mean(kernel(b, b)) - 2 * kernel(a, b).mean()
    )
    got = measure(seen(a), seen(b), settings(kid_subset_size=30, kid_subsets=1))
    assert got["KID"] == pytest.approx(expected, rel=1e-4)


def test_precision_and_recall_tell_missing_modes_from_strange_ones() -> None:
    near, far = gaussian(40, 3, 10), gaussian(40, 3, 11) + 100
    half = measure(seen(near), seen(np.concatenate([near, far])), settings())
    assert half["precision"] == 1.0
    assert half["recall"] == pytest.approx(0.5, abs=0.02)
    strange = measure(seen(np.concatenate([near, far])), seen(near), settings())
    assert strange["recall"] == 1.0
    assert strange["precision"] == pytest.approx(0.5, abs=0.02)


def test_the_neighbourhood_decides_how_far_a_ball_reaches() -> None:
    real = seen(np.array([[0, 0], [1, 0], [10, 0], [11, 1]]))
    between = seen(np.array([[5.0, 0], [5.1, 1], [5.2, 0], [5.3, 1]]))
    # The nearest neighbour is 1 away, the second one 9 or more.
    few = settings(kid_subset_size=4, neighbourhood=1)
    assert measure(between, real, few)["precision"] == 0.0
    more = settings(kid_subset_size=4, neighbourhood=2)
    assert measure(between, real, more)["precision"] == 1.0


def test_the_score_is_the_mean_over_the_splits() -> None:
    sure = seen(gaussian(8, 4, 0), 50.0 * np.eye(8))
    for splits, score in ((1, 8.0), (4, 2.0)):  # two pictures are two classes
        config = settings(is_splits=splits)
        assert measure(sure, sure, config)["IS"] == pytest.approx(score)
        assert inception_score(sure, config) == pytest.approx(score)


def test_every_row_compares_the_sets_that_it_names(tmp_path: Path) -> None:
    world = World(tmp_path)
    shown = world.captions()
    for utterance in shown:  # one species alone is drawn, so that the two sides differ
        world.sample("test", utterance, world.truth(shown[0]))
    world.write()
    judged, config = world.judged(), settings()
    material = judged.material
    rows: Any = fidelity_figures(judged, config)
    reference = judged.real.take(material.image_rows("reference"))
    sets = {
        "generated": judged.drawn,
        "floor": judged.real.take(material.image_rows("floor")),
        "species_shift": judged.real.take(material.training),
    }
    for name, pictures in sets.items():
        expected = measure(pictures, reference, config)
        assert dict(values_of(rows[name])) == expected
        assert name != "generated" or expected != measure(reference, pictures, config)


def test_the_halves_of_a_floor_share_no_picture(tmp_path: Path) -> None:
    world = full(tmp_path, fresh=False)
    world.write()
    judged, config = world.judged(), settings(kid_subset_size=6, seed=3)
    floor: Any = fidelity_figures(judged, config)["floor"]
    mixed = np.random.default_rng(3).permutation(judged.material.image_rows("test"))
    halves = [judged.real.take(np.sort(half)) for half in np.split(mixed, 2)]
    assert floor["FID"]["value"] == pytest.approx(frechet_distance(*halves))
    assert floor["FID"]["value"] > 0


def test_the_seed_decides_the_subsets() -> None:
    a, b = seen(gaussian(60, 4, 12)), seen(gaussian(60, 4, 13))
    same = [measure(a, b, settings(seed=seed))["KID"] for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


def test_the_kernel_distance_is_the_mean_over_as_many_subsets_as_asked_for() -> None:
    a, b = seen(gaussian(60, 4, 12)), seen(gaussian(60, 4, 13))
    few, many = (measure(a, b, settings(kid_subsets=count))["KID"] for count in (1, 100))
    assert few != many


def test_the_seed_decides_which_pictures_share_a_split() -> None:
    halves = seen(gaussian(16, 4, 0), 50.0 * np.repeat(np.eye(8)[:2], 8, axis=0))
    scores = [inception_score(halves, settings(seed=seed, is_splits=4)) for seed in (1, 1, 2, 3)]
    assert scores[0] == scores[1]
    assert len(set(scores)) > 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kid_subset_size": 13}, r"kid_subset_size; got 13; .*\(12 pictures of the split train\)"),
        ({"neighbourhood": 12}, r"neighbourhood; got 12; .*\(12 pictures of the split train\)"),
        ({"training_pictures": 5}, r"kid_subset_size; .*; lower it or raise evaluate\.training_pi"),
    ],
)
def test_too_few_pictures_name_the_setting_and_the_set(
    tmp_path: Path, changes: dict[str, int], told: str
) -> None:
    world = full(tmp_path)
    world.write()
    config = settings(**{"kid_subset_size": 6, "neighbourhood": 1, "is_splits": 1, **changes})
    with pytest.raises(UserError, match=rf"^evaluate\.{told}"):
        fidelity_figures(world.judged(), config)


@pytest.mark.parametrize(("dimension", "warns"), [(23, False), (24, True)])
def test_a_distance_of_few_pictures_says_so(tmp_path: Path, dimension: int, warns: bool) -> None:
    class Blurred(PlantedBackbone):
        def look(self, images: torch.Tensor) -> BackboneOutput:
            return BackboneOutput(images.flatten(1)[:, :dimension], None)

    world = full(tmp_path)
    world.write()
    network = Blurred()
    network.dimension = dimension
    generated: Any = fidelity_figures(world.judged(network), settings())["generated"]
    told = " ".join(generated["FID"]["protocol"])
    assert ("no more pictures than features" in told) == warns
