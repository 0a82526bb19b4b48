import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from s2igan.evaluation.consistency import (
    Order,
    consistency_figures,
    draw_queries,
    retrieval_figures,
)
from s2igan.evaluation.controls import control_figures
from s2igan.evaluation.figures import Figure, Resampling, means
from s2igan.evaluation.judge import Rows
from s2igan.metrics.retrieval import search, search_others
from tests.evaluation.world import World, full, settings

RESAMPLING = Resampling(seed=0, permutations=20, draws=100)


def test_resampling_is_that_of_the_parameters() -> None:
    config = settings(seed=3, chance_permutations=5, bootstrap_draws=100)
    assert Resampling.of(config) == Resampling(seed=3, permutations=5, draws=100)


def mean_precision(order: Order, queries: Rows, gallery: Rows) -> Figure:
    return retrieval_figures(order, queries, gallery, RESAMPLING, [])["mAP"]


def test_a_generator_of_one_picture_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = np.repeat(np.arange(20), 20), np.repeat(np.arange(20), 100)
    features = rng.normal(size=(400, 96)).astype(np.float32)
    order = search(features, np.tile(features[:1], (2000, 1)))
    figure: dict[str, Any] = mean_precision(order, queries, gallery)
    assert figure["value"] == pytest.approx(figure["chance"], rel=0.03)
    assert figure["low"] < figure["chance"] < figure["high"]
    again = Resampling(seed=1, permutations=20, draws=100)
    other: dict[str, Any] = retrieval_figures(order, queries, gallery, again, [])["mAP"]
    assert other["chance"] != figure["chance"]


def test_random_pictures_find_each_other_as_often_as_chance_says() -> None:
    classes = np.append(np.repeat(np.arange(20), 2), 99)  # and one picture that is alone
    figures = []
    for seed in range(60):
        features = np.random.default_rng(seed).normal(size=(41, 16)).astype(np.float32)
        order = search_others(features)
        found = retrieval_figures(order, classes, classes, RESAMPLING, [], each_other=True)
        figures.append((found["mAP"]["value"], found["mAP"]["chance"]))
    value, chance = np.mean(np.array(figures, np.float64), axis=0)
    # The only other picture of a class stands at any of 40 ranks.
    exact = np.mean(1 / np.arange(1, 41))
    assert chance == pytest.approx(exact, abs=0.002)
    assert value == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("shared", [True, False])
def test_a_generator_that_ignores_speech_is_at_chance_with_shared_noise_too(shared: bool) -> None:
    """Ten pictures are drawn of each of forty real ones, of 20 classes; noise alone makes them."""
    queries = np.repeat(np.arange(20), 2)
    described = np.repeat(np.arange(40), 10)
    noises = described if shared else np.arange(400)
    figures = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        real, drawn = rng.normal(size=(2, 400, 24)).astype(np.float32)
        order = search(real[:40], drawn[noises] + 0.01 * real)
        found = retrieval_figures(
            order, queries, queries[described], RESAMPLING, [], cutoffs=(10,), noises=noises
        )
        figures.append([found[name][key] for name in found for key in ("value", "chance")])
        said = "over the pictures, together where these share one noise, mean of 20"
        assert (said in str(found["mAP"]["protocol"])) is shared
    value, chance, first_ten, chance_of_ten = np.mean(np.array(figures, np.float64), axis=0)
    assert chance == pytest.approx(0.098 if shared else 0.064, abs=0.003)
    assert value == pytest.approx(chance, abs=0.006)
    assert chance_of_ten == pytest.approx(1 / 20, abs=0.003)  # a mean, which no grouping moves
    assert first_ten == pytest.approx(1 / 20, abs=0.01)


def test_mean_average_precision_by_hand() -> None:
    order = np.array([[0, 1, 2, 3], [2, 0, 1, 3]], np.int32)
    figure = mean_precision(order, np.array([0, 1]), np.array([0, 1, 0, 1]))
    expected = ((1 + 2 / 3) / 2 + (1 / 3 + 2 / 4) / 2) / 2
    assert figure["value"] == pytest.approx(expected)


def test_precision_at_k_stands_beside_it() -> None:
    order = np.array([[0, 1, 2, 3], [2, 0, 1, 3]], np.int32)
    classes, gallery = np.array([0, 1]), np.array([0, 1, 0, 1])
    figures = retrieval_figures(order, classes, gallery, RESAMPLING, [], cutoffs=(1, 2, 4, 5))
    # Ranked relevance: 1 0 1 0 and 0 0 1 1; there are no five pictures.
    assert list(figures) == ["mAP", "precision@1", "precision@2", "precision@4"]
    assert figures["precision@1"]["value"] == pytest.approx(1 / 2)
    assert figures["precision@2"]["value"] == pytest.approx((1 / 2 + 0) / 2)
    assert figures["precision@4"]["value"] == pytest.approx(1 / 2)
    assert 'the authors print it as "R@k"' in str(figures["precision@1"]["protocol"])


def test_queries_of_a_species_that_nothing_shows_are_left_out() -> None:
    order = np.array([[0, 1], [0, 1]], np.int32)
    figure = mean_precision(order, np.array([0, 9]), np.array([0, 1]))
    assert figure["value"] == 1.0
    assert "1 queries" in str(figure["protocol"])
    ((_, mean),) = means({"mAP": mean_precision(order, np.array([9, 1]), np.array([0, 1]))})
    assert mean.sums.classes.tolist() == [1]
    nothing = mean_precision(order, np.array([8, 9]), np.array([0, 1]))
    assert list(nothing) == ["absent"]


def test_queries_are_drawn_per_species() -> None:
    classes = np.array([0, 0, 0, 1, 2, 2])
    pictures = np.arange(10, 16)
    drawn = draw_queries(pictures, classes, 2, seed=0)
    np.testing.assert_array_equal(np.bincount(classes[drawn - 10]), [2, 1, 2])
    np.testing.assert_array_equal(drawn, draw_queries(pictures, classes, 2, seed=0))
    assert len({tuple(draw_queries(pictures, classes, 1, seed)) for seed in range(20)}) > 1


def test_queries_of_many_species_are_drawn_in_no_time() -> None:
    each, start = np.arange(60_000), time.process_time()
    np.testing.assert_array_equal(draw_queries(each, each, 2, seed=0), each)
    assert time.process_time() - start < 1  # seconds; 0.01, and 3 where each species is looked for


def test_the_papers_queries_are_drawn_by_the_seed(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.drawn[0] = world.truth(world.captions()[-1])  # one picture shows another species
    world.write()
    judged = world.judged()
    found = set()
    for seed in range(8):
        config = settings(queries_per_class=1, seed=seed)
        group: Any = consistency_figures(judged, RESAMPLING, config)["paper_protocol"]
        found.add(group["mAP"]["value"])
    assert len(found) > 1


def protocols(world: World) -> dict[str, str]:
    """The sentences on every mAP of drawn pictures."""
    judged = world.judged()
    embeddings = world.folder / "embeddings"
    figures: dict[str, Any] = {
        **consistency_figures(judged, RESAMPLING, settings()),
        **control_figures(judged, None, "none", embeddings, RESAMPLING),
    }
    return {name: str(group["mAP"]["protocol"]) for name, group in figures.items()}


def test_descriptions_are_permuted_together_of_pictures_that_were_drawn_by_one_noise(
    tmp_path: Path,
) -> None:
    world = full(tmp_path)
    for sample in world.samples:
        sample["noise"] = world.image_of(sample["target"])
    world.write()
    together = [name for name, said in protocols(world).items() if "one noise" in said]
    assert together == ["all_pairs", "paper_protocol", "generated", "mismatched_speech"]


def test_noises_are_told_apart_as_far_as_the_samples_name_them(tmp_path: Path) -> None:
    world = full(tmp_path)
    for sample, noise in zip(world.samples, [3, 3, 3, 3, None, None, 4, 3], strict=False):
        sample["noise"] = noise
    world.write()
    rows = np.arange(8)[::-1]
    drawn = world.material().noises(rows)
    # Two captions of each of four pictures; of the third picture no noise is known.
    np.testing.assert_array_equal(pd.factorize(drawn)[0], [0, 1, 2, 3, 4, 4, 5, 5])
    table = pd.read_parquet(tmp_path / "samples" / "samples.parquet").drop(columns="noise")
    table.to_parquet(tmp_path / "samples" / "samples.parquet")
    np.testing.assert_array_equal(world.material().noises(rows), np.arange(8))
    assert not [said for said in protocols(world).values() if "one noise" in said]


def test_true_pictures_are_all_found_and_the_paper_searches_only_its_own(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    figures: Any = consistency_figures(world.judged(), RESAMPLING, settings(queries_per_class=2))
    for name, counts in (
        ("all_pairs", "12 queries, 24 pictures"),
        ("paper_protocol", "8 queries, 16 pictures"),
    ):
        group = figures[name]
        assert group["mAP"]["value"] == pytest.approx(1.0)
        assert group["mAP"]["chance"] < 0.5
        assert any(line.startswith(counts) for line in group["mAP"]["protocol"])
    # Those k that the authors' code prints; mAP over all pairs stands alone.
    beside = [f"precision@{k}" for k in (1, 2, 3, 5, 10)]
    assert [*figures["all_pairs"]] == ["mAP"]
    assert [*figures["paper_protocol"]] == ["mAP", *beside]
