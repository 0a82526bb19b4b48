"""Paired bootstrap over classes: against loops, and as often right as it says."""

import numpy as np
import pytest

from s2igan.comparison.outcome import pooled
from s2igan.comparison.paired import Difference, paired_difference
from s2igan.metrics.intervals import bootstrap_sums
from tests.comparison.results import ALL_PAIRS, outcome


def test_the_difference_is_that_of_the_pooled_means() -> None:
    ours = np.array([3.0, 1.0]), np.array([4.0, 6.0])
    theirs = np.array([1.0, 1.0]), np.array([5.0, 5.0])
    found = paired_difference(ours, theirs, seed=0)
    assert found.value == pytest.approx(4 / 10 - 2 / 10)


def test_it_agrees_with_a_loop_over_drawn_classes() -> None:
    rng = np.random.default_rng(3)
    values = [[rng.normal(c / 5, 1, 3 + c) for c in range(6)] for _ in range(2)]
    totals = [
        (np.array([v.sum() for v in row]), np.array([float(len(v)) for v in row])) for row in values
    ]
    found = paired_difference(totals[0], totals[1], seed=1, draws=20000)
    drawn = np.random.default_rng(2).integers(0, 6, (20000, 6))
    loop = [
        np.concatenate([values[0][c] for c in classes]).mean()
        - np.concatenate([values[1][c] for c in classes]).mean()
        for classes in drawn
    ]
    low, high = np.quantile(loop, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_what_makes_a_class_hard_for_both_cancels() -> None:
    rng = np.random.default_rng(0)
    hard, counts = rng.normal(0, 10, 20), np.full(20, 10.0)
    ours, theirs = (hard + 0.5) * counts, hard * counts
    found = paired_difference((ours, counts), (theirs, counts), seed=0)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    low, high = bootstrap_sums(ours, counts, seed=0)
    assert high - low > 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(300):
        counts = np.full(30, 5.0)
        shared = rng.normal(0, 2, 30)
        ours = (shared + rng.normal(0.3, 1, 30)) * counts
        theirs = shared * counts
        found = paired_difference((ours, counts), (theirs, counts), seed=trial, draws=400)
        hits += found.low <= 0.3 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


def test_a_class_without_values_counts_for_nothing() -> None:
    full = np.array([2.0, 4.0]), np.array([2.0, 2.0])
    padded = np.array([2.0, 4.0, 0.0]), np.array([2.0, 2.0, 0.0])
    assert bootstrap_sums(*padded, seed=0) == pytest.approx(bootstrap_sums(*full, seed=0))


def test_a_class_that_one_of_both_was_not_measured_on_is_left_out() -> None:
    ours = np.array([2.0, 4.0, 0.0, 9.0]), np.array([2.0, 2.0, 0.0, 3.0])
    theirs = np.array([1.0, 1.0, 8.0, 0.0]), np.array([2.0, 2.0, 2.0, 0.0])
    found = paired_difference(ours, theirs, seed=0)
    assert found.value == pytest.approx(6 / 4 - 2 / 4)
    shared, others = ((sums[:2], counts[:2]) for sums, counts in (ours, theirs))
    assert found == paired_difference(shared, others, seed=0)
    nowhere = np.array([0.0, 0.0, 8.0, 0.0]), np.array([0.0, 0.0, 2.0, 0.0])
    with pytest.raises(ValueError, match="no values"):
        paired_difference(ours, nowhere, seed=0)


def test_sums_and_counts_of_a_row_are_means_over_its_seeds() -> None:
    seeds = [outcome([0.5, 0.25]), outcome([0.75], seed=2)]  # ten values of each class
    sums, counts = pooled(seeds, ALL_PAIRS, ["class 0", "class 1", "class 2"])
    assert sums.tolist() == [6.25, 1.25, 0.0]
    assert counts.tolist() == [10.0, 5.0, 0.0]


def test_nothing_to_draw_from_is_refused() -> None:
    none = np.zeros(2), np.zeros(2)
    with pytest.raises(ValueError, match="no values"):
        paired_difference(none, none, seed=0)


@pytest.mark.parametrize(
    ("low", "high", "told"), [(-0.1, 0.1, False), (0.0, 0.1, False), (0.01, 0.1, True)]
)
def test_an_interval_that_holds_zero_distinguishes_nothing(
    low: float, high: float, told: bool
) -> None:
    assert Difference(0.05, low, high).distinguishable is told
