import tracemalloc

import numpy as np
import pytest

from s2igan.metrics import intervals
from s2igan.metrics.intervals import bootstrap_over_classes, bootstrap_sums, resampled_means


def test_the_interval_of_equal_classes_has_no_width() -> None:
    values, classes = np.array([0.0, 1.0] * 5), np.repeat(np.arange(5), 2)
    assert bootstrap_over_classes(values, classes, seed=0) == (0.5, 0.5)


def test_it_agrees_with_resampling_by_hand() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 12, 300)
    values = rng.normal(size=300) + classes
    members = [values[classes == number] for number in range(12)]
    means = [
        np.concatenate([members[number] for number in rng.integers(0, 12, 12)]).mean()
        for _ in range(4000)
    ]
    got = bootstrap_over_classes(values, classes, seed=1, draws=4000)
    np.testing.assert_allclose(got, np.quantile(means, [0.025, 0.975]), atol=0.15)


def test_classes_not_values_are_the_units() -> None:
    # A thousand copies of two classes say no more than one copy does.
    few = bootstrap_over_classes(np.array([0.0, 1.0]), np.array([0, 1]), seed=0)
    many = bootstrap_over_classes(np.repeat([0.0, 1.0], 1000), np.repeat([0, 1], 1000), seed=0)
    assert few == many == (0.0, 1.0)


def test_the_mean_lies_inside_and_the_seed_decides() -> None:
    rng = np.random.default_rng(3)
    values, classes = rng.random(100), rng.integers(0, 20, 100)
    low, high = bootstrap_over_classes(values, classes, seed=0)
    assert low < values.mean() < high
    assert bootstrap_over_classes(values, classes, seed=0) == (low, high)
    assert bootstrap_over_classes(values, classes, seed=1) != (low, high)


def test_a_draw_of_classes_without_values_has_no_mean() -> None:
    assert bootstrap_sums(np.array([0.0, 2]), np.array([0, 1]), seed=0) == (2, 2)
    assert bootstrap_sums(np.array([2.0]), np.array([1]), seed=0) == (2, 2)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_sums(np.zeros(2), np.zeros(2, np.int64), seed=0)


def test_an_interval_holds_95_percent_unless_told_otherwise() -> None:
    rng = np.random.default_rng(4)
    sums, counts = rng.random(9), rng.integers(1, 5, 9)
    ends = np.quantile(resampled_means(sums, counts, 0, 1000), [0.025, 0.975])
    assert bootstrap_sums(sums, counts, seed=0) == pytest.approx(tuple(ends))


def test_memory_does_not_grow_with_classes_times_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, counts = np.random.default_rng(5).random(5000), np.ones(5000, np.int64)
    whole = resampled_means(sums, counts, 0, 500)
    monkeypatch.setattr(intervals, "_COUNTS_PER_BLOCK", 2**16)
    tracemalloc.start()
    try:
        means = resampled_means(sums, counts, 0, 500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert means == pytest.approx(whole, rel=1e-12)
    assert peak < 5000 * 500  # bytes: less than one for each


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap_over_classes(np.array([]), np.array([], np.int64), seed=0)
