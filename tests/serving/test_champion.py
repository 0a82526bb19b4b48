"""When the alias moves, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest

from s2igan.errors import UserError
from s2igan.serving.champion import METRIC, Standing, standings, verdict

FID = "generation/fidelity/generated/FID"
ONE = Standing(METRIC, 0.5, "minibirds", "drawn", "64-px pictures; 240 queries")


def card(value: float = 0.5) -> dict[str, Any]:
    figure = {"value": value, "protocol": ["64-px pictures", "240 queries"]}
    return {
        "corpus": {"kind": "minibirds", "edition": "drawn"},
        "figures": {"generation": {"consistency": {"all_pairs": {"mAP": figure}}}},
    }


def test_a_standing_is_taken_from_a_card_and_survives_its_tags() -> None:
    assert Standing.of_card(card(), METRIC) == ONE
    assert Standing.of_tags(ONE.tags(), METRIC) == ONE
    assert Standing.of_tags(ONE.tags(), FID) is None


def test_a_metric_that_nobody_measured_is_refused_with_those_that_are() -> None:
    assert set(standings(card(), METRIC)) == {METRIC}
    with pytest.raises(UserError, match=f"no such figure.*{METRIC}"):
        standings(card(), FID)
    with pytest.raises(UserError, match="no such figure"):
        standings(card(), "generation/consistency/all_pairs/mAP/value")


def test_the_first_is_champion() -> None:
    assert verdict(ONE, "1", None, None) == (
        True,
        f"champion is version 1, the first: {METRIC} 0.500",
    )


@pytest.mark.parametrize(("value", "moves"), [(0.51, True), (0.5, False), (0.49, False)])
def test_only_a_better_one_takes_its_place(value: float, moves: bool) -> None:
    moved, told = verdict(replace(ONE, value=value), "2", ONE, "1")
    assert moved is moves
    assert told.startswith("champion moves from version 1 to 2" if moves else "champion stays")
    assert f"{METRIC} {value:.3f}" in told


def test_a_smaller_distance_is_better() -> None:
    far, near = (Standing(FID, value, "minibirds", "drawn", "") for value in (20.0, 10.0))
    assert verdict(near, "2", far, "1")[0]
    assert not verdict(far, "2", near, "1")[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corpus": "cub"}, "another corpus ('cub', not 'minibirds')"),
        ({"edition": "304px"}, "another edition ('304px', not 'drawn')"),
        (
            {"protocol": "128-px pictures; 240 queries"},
            "another protocol ('128-px pictures', not '64-px pictures')",
        ),
    ],
)
def test_what_was_judged_otherwise_is_not_compared(change: dict[str, Any], words: str) -> None:
    moved, told = verdict(replace(ONE, value=0.9, **change), "2", ONE, "1")
    assert not moved
    assert words in told


def test_a_champion_without_the_figure_stays() -> None:
    assert verdict(ONE, "2", None, "1") == (
        False,
        f"champion stays version 1: it has no figure {METRIC}",
    )
