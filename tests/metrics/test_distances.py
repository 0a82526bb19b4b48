import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from s2igan.metrics import distances
from s2igan.metrics.distances import mean_pairwise_distance, nearest_distances


def test_mean_pairwise_distance() -> None:
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert mean_pairwise_distance(corners) == pytest.approx((3 + 4 + 5) / 3)
    vectors = np.random.default_rng(0).normal(size=(40, 9))
    assert mean_pairwise_distance(vectors) == pytest.approx(pdist(vectors).mean())


def test_memory_does_not_grow_with_the_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "ROWS_PER_BLOCK", 16)
    vectors = np.random.default_rng(2).normal(size=(1500, 4))
    tracemalloc.start()
    try:
        mean = mean_pairwise_distance(vectors)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mean == pytest.approx(pdist(vectors).mean())
    assert peak < 1500 * 1500  # bytes: less than two a pair


def test_equal_vectors_have_no_distance_despite_rounding() -> None:
    vectors = np.full((5, 3000), 0.1, np.float32)
    length = 0.1 * np.sqrt(3000)
    assert mean_pairwise_distance(vectors) == pytest.approx(0, abs=5e-3 * length)


def test_one_vector_makes_no_pair() -> None:
    with pytest.raises(ValueError, match="1 vectors"):
        mean_pairwise_distance(np.zeros((1, 3)))


def test_nearest_distances_look_at_the_whole_gallery() -> None:
    rng = np.random.default_rng(1)
    queries, gallery = rng.normal(size=(30, 5)), rng.normal(size=(2500, 5))
    expected = cdist(queries, gallery).min(axis=1)
    np.testing.assert_allclose(nearest_distances(queries, gallery), expected, atol=1e-7)
