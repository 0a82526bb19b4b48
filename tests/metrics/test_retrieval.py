import tracemalloc
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from s2igan.metrics import retrieval
from s2igan.metrics.retrieval import (
    Booleans,
    Floats,
    chance_by_permutation,
    measure_rankings,
    rank,
    ranked_average_precisions,
    ranked_hits,
    ranked_precisions,
    search,
    search_others,
)


def ranked(similarity: Floats, relevant: Booleans) -> Booleans:
    return np.take_along_axis(relevant, rank(similarity), axis=1)


def mean_average_precision(similarity: Floats, relevant: Booleans) -> float:
    return float(ranked_average_precisions(ranked(similarity, relevant)).mean())


def brute_force_average_precision(similarity: list[float], relevant: list[bool]) -> float:
    order = sorted(range(len(similarity)), key=lambda item: -similarity[item])
    found, precisions = 0, []
    for place, item in enumerate(order, start=1):
        if relevant[item]:
            found += 1
            precisions.append(found / place)
    return sum(precisions) / len(precisions)


def test_average_precision_of_a_textbook_example() -> None:
    similarity = np.array([[0.9, 0.8, 0.7, 0.6, 0.5]])
    relevant = np.array([[True, False, True, False, True]])
    expected = (1 / 1 + 2 / 3 + 3 / 5) / 3
    assert mean_average_precision(similarity, relevant) == pytest.approx(expected)


def test_average_precision_agrees_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.normal(size=(30, 17)).astype(np.float32)
    relevant = rng.random((30, 17)) < 0.3
    relevant[:, 0] = True
    expected = [
        brute_force_average_precision(row.tolist(), hits.tolist())
        for row, hits in zip(similarity, relevant, strict=True)
    ]
    found = ranked_average_precisions(ranked(similarity, relevant))
    np.testing.assert_allclose(found, expected)


def test_perfect_and_worst_rankings() -> None:
    relevant = np.array([[True, True, False, False]])
    falling = np.array([[4.0, 3.0, 2.0, 1.0]])
    assert mean_average_precision(falling, relevant) == 1.0
    assert mean_average_precision(-falling, relevant) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_recall_and_precision_at_k() -> None:
    similarity = np.array([[5.0, 4.0, 3.0, 2.0], [2.0, 3.0, 4.0, 5.0]])
    relevant = np.array([[False, True, True, False], [True, False, False, False]])
    found = ranked(similarity, relevant)
    np.testing.assert_array_equal(ranked_hits(found, 1), [0, 0])
    np.testing.assert_array_equal(ranked_hits(found, 2), [1, 0])
    np.testing.assert_array_equal(ranked_hits(found, 9), [1, 1])
    np.testing.assert_array_equal(ranked_precisions(found, 2), [0.5, 0])


@pytest.mark.parametrize("k", [1, 2, 3, 5, 10])
def test_recall_and_precision_agree_with_brute_force(k: int) -> None:
    rng = np.random.default_rng(1)
    similarity = rng.normal(size=(40, 12))
    relevant = rng.random((40, 12)) < 0.25
    hits, shares = [], []
    for row, right in zip(similarity.tolist(), relevant.tolist(), strict=True):
        first = sorted(range(12), key=lambda item: -row[item])[:k]
        found = sum(right[item] for item in first)
        hits.append(float(found > 0))
        shares.append(found / k)
    np.testing.assert_array_equal(ranked_hits(ranked(similarity, relevant), k), hits)
    np.testing.assert_allclose(ranked_precisions(ranked(similarity, relevant), k), shares)


def test_without_ties_the_order_is_that_of_the_similarity() -> None:
    similarity = np.random.default_rng(3).normal(size=(9, 50))
    np.testing.assert_array_equal(rank(similarity), np.argsort(-similarity, axis=1))
    similarity[:, 20:] = -9  # and those that are tied stand behind
    found = rank(similarity)
    np.testing.assert_array_equal(found[:, :20], np.argsort(-similarity[:, :20], axis=1))
    np.testing.assert_array_equal(np.sort(found), np.tile(np.arange(50), (9, 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int16, np.float16, bool])
def test_similarities_of_any_kind_are_ordered_alike(dtype: type) -> None:
    similarity = np.random.default_rng(6).integers(0, 2 if dtype is bool else 9, (5, 40))
    np.testing.assert_array_equal(rank(similarity.astype(dtype)), rank(similarity.astype(float)))


def test_equal_items_find_their_class_by_chance_in_whatever_order_they_lie() -> None:
    classes, wanted = np.repeat(np.arange(20), 20), np.arange(20)[:, None]
    rng = np.random.default_rng(4)
    dealt = [ranked_average_precisions(rng.permutation(classes) == wanted) for _ in range(200)]
    spread = np.mean(dealt, axis=1).std()
    first = (1 / np.arange(1, 401)).sum()  # of 400 items 20 are relevant, at any ranks
    chance = (first + 19 / 399 * (400 - first)) / 400
    assert np.mean(dealt) == pytest.approx(chance, abs=3 * spread / np.sqrt(200))
    found = mean_average_precision(np.zeros((20, 400)), classes == wanted)
    assert found == pytest.approx(chance, abs=3 * spread)
    assert ranked_average_precisions(classes == wanted).mean() > chance + 50 * spread


def test_search_is_by_cosine() -> None:
    queries = np.array([[1, 0]], np.float32)
    gallery = np.array([[100, 90], [0.1, 0], [0, 5], [-1, 0]], np.float32)
    np.testing.assert_array_equal(search(queries, gallery)[:], [[1, 0, 2, 3]])
    with_zeros = np.array([[0.1, 1], [0, 0], [-0.1, 1]], np.float32)
    np.testing.assert_array_equal(search(queries, with_zeros)[:], [[0, 1, 2]])


def test_equal_vectors_are_tied_in_whatever_column_they_stand() -> None:
    rng = np.random.default_rng(5)
    queries = rng.normal(size=(40, 768)).astype(np.float32)
    gallery = np.tile(rng.normal(size=768).astype(np.float32), (1155, 1))
    np.testing.assert_array_equal(search(queries, gallery)[:], rank(np.zeros((40, 1155))))


def test_the_order_does_not_depend_on_how_the_queries_are_cut() -> None:
    rng = np.random.default_rng(6)
    queries = rng.integers(0, 3, (50, 8)).astype(np.float32)
    gallery = rng.integers(0, 3, (200, 8)).astype(np.float32)  # with many ties
    for found in (search(queries, gallery), search_others(gallery)):
        whole = found[:]
        for size in (1, 7):
            parts = [found[start : start + size] for start in range(0, len(whole), size)]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
        np.testing.assert_array_equal(found[np.array([9, 2])], whole[[9, 2]])


@pytest.mark.parametrize("permute", ["queries", "gallery", "both"])
def test_figures_do_not_depend_on_how_the_queries_are_cut(
    permute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    items, classes = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 9, 60)
    arguments = (search_others(items), classes, classes, {"R@3": partial(ranked_hits, k=3)})
    asked = None if permute == "both" else np.arange(40)[::-1]
    figures = []
    for pairs in (2**22, 200):
        monkeypatch.setattr(retrieval, "_PAIRS_PER_BLOCK", pairs)
        chance = chance_by_permutation(
            *arguments, permute=permute, permutations=4, seed=0, asked=asked
        )
        figures.append([*measure_rankings(*arguments, asked=asked)["R@3"], chance["R@3"]])
    assert figures[0] == pytest.approx(figures[1], rel=1e-12)
    assert len(set(figures[0])) == 3


def test_memory_does_not_grow_with_the_product_of_queries_and_gallery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrieval, "_PAIRS_PER_BLOCK", 2**16)
    items, classes = np.random.default_rng(9).normal(size=(2000, 4)), np.arange(2000) // 20
    measures = {"mAP": ranked_average_precisions}
    tracemalloc.start()
    try:
        arguments = (search(items, items), classes, classes, measures)
        measure_rankings(*arguments)
        chance_by_permutation(*arguments, permute="queries", permutations=2, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2000 * 2000  # bytes: less than one a pair


@pytest.mark.parametrize("dimension", [4, 0])
def test_an_item_does_not_find_itself(dimension: int) -> None:
    items = np.ones((6, 4), np.float32)  # all equal, or each another
    items[:, :dimension] += np.random.default_rng(0).normal(size=(6, dimension))
    rankings = search_others(items)
    order = rankings[:]
    assert order.shape == rankings.shape == (6, 5)
    for item, others in enumerate(order):
        assert sorted([item, *others.tolist()]) == list(range(6))
    assert search_others(items[:1])[:].shape == (1, 0)


def test_a_query_without_relevant_items_is_refused() -> None:
    with pytest.raises(ValueError, match="1 queries"):
        ranked_average_precisions(np.array([[True, False], [False, False], [False, True]]))


def test_chance_is_the_mean_over_all_permutations() -> None:
    similarity = np.random.default_rng(1).normal(size=(3, 4))
    queries, gallery = np.array([0, 1, 1]), np.array([0, 0, 1, 2])
    order = rank(similarity)
    exact = np.mean(
        [
            mean_average_precision(similarity, np.array(dealt)[None] == queries[:, None])
            for dealt in permutations(gallery.tolist())
        ]
    )
    chance = chance_by_permutation(
        order,
        queries,
        gallery,
        {"mAP": ranked_average_precisions},
        permute="gallery",
        permutations=1000,
        seed=0,
    )
    assert chance["mAP"] == pytest.approx(exact, abs=0.02)


def test_chance_of_groups_is_the_mean_over_all_permutations_of_the_groups() -> None:
    members = np.array([2, 2, 2, 0, 1, 1, 3, 3, 3])  # four groups of unequal sizes
    similarity = np.random.default_rng(7).normal(size=(3, 4))[:, members]  # alike in each
    classes, queries = np.array([1, 0, 0, 2]), np.array([0, 1, 2])
    exact = [
        mean_average_precision(similarity, np.array(dealt)[members] == queries[:, None])
        for dealt in permutations(classes.tolist())
    ]
    arguments = (rank(similarity), queries, classes[members], {"mAP": ranked_average_precisions})
    chance = partial(
        chance_by_permutation, *arguments, permute="gallery", permutations=9000, seed=0
    )
    assert chance(groups=members)["mAP"] == pytest.approx(np.mean(exact), abs=0.01)
    assert chance(groups=np.arange(10, 19)) == chance()


def test_chance_of_items_that_search_each_other_is_the_mean_over_all_permutations() -> None:
    similarity = np.random.default_rng(2).normal(size=(6, 6))
    np.fill_diagonal(similarity, -np.inf)
    order = rank(similarity)[:, :-1]
    classes = np.array([0, 0, 1, 1, 1, 2])  # the last finds nothing
    exact = []
    for dealt in permutations(classes.tolist()):
        found = [[dealt[item] == dealt[query] for item in order[query]] for query in range(6)]
        places = [float(-place) for place in range(5)]
        exact += [brute_force_average_precision(places, row) for row in found if any(row)]
    chance = chance_by_permutation(
        order,
        classes,
        classes,
        {"mAP": ranked_average_precisions},
        permute="both",
        permutations=4000,
        seed=0,
    )
    assert len(exact) == 720 * 5
    assert chance["mAP"] == pytest.approx(np.mean(exact), abs=0.005)


def test_sides_that_are_none_are_not_dealt_anew() -> None:
    side: Any = "galery"
    with pytest.raises(ValueError, match="permute is 'galery', not queries, gallery or both"):
        chance_by_permutation(
            rank(np.eye(2)), np.arange(2), np.arange(2), {}, permute=side, permutations=1, seed=0
        )


def test_chance_of_a_hit_is_the_share_of_the_class() -> None:
    rng = np.random.default_rng(2)
    queries, gallery = rng.integers(0, 5, 400), np.repeat(np.arange(5), 20)
    order = rank(np.eye(5)[queries] @ np.eye(5)[gallery].T)  # a perfect search
    chance = chance_by_permutation(
        order,
        queries,
        gallery,
        {"R@1": partial(ranked_hits, k=1)},
        permute="queries",
        permutations=50,
        seed=0,
    )
    assert chance["R@1"] == pytest.approx(0.2, abs=0.02)
