"""When the alias moves, and what is said of it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s2igan.errors import UserError
from s2igan.serving.champion import METRIC, Standing, place_of, standings, verdict
from s2igan.serving.registry import challenge

FID = "generation/fidelity/generated/FID"
ONE = Standing(METRIC, 0.5, "minibirds", "drawn", "64-px pictures; 240 queries")


def card() -> dict[str, Any]:
    figure = {"value": 0.5, "protocol": ["64-px pictures", "240 queries"]}
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


def test_a_figure_is_found_by_the_name_that_mlflow_gives_it() -> None:
    figures = {"retrieval": {"speech_to_image": {"R@1": {"value": 0.5, "protocol": []}}}}
    for name in ("retrieval/speech_to_image/R@1", "retrieval/speech_to_image/R_at_1"):
        assert place_of(name, {"figures": figures}) == "retrieval/speech_to_image/R@1"
    for name in (METRIC, METRIC.removeprefix("generation/")):  # a run of `evaluate` has the latter
        assert place_of(name, card()) == METRIC
    assert place_of(FID, {}) == FID


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


class Registry:
    """Two versions of one model; whoever asks for the champion waits a while for another to ask."""

    def __init__(self, standings: dict[str, Standing]) -> None:
        self.standings = standings
        self.aliases: dict[str, str] = {}
        self._both = threading.Barrier(2)

    def get_registered_model(self, _name: str) -> SimpleNamespace:
        aliases = dict(self.aliases)
        with suppress(threading.BrokenBarrierError):
            self._both.wait(timeout=0.3)
        return SimpleNamespace(aliases=aliases)

    def get_model_version(self, _name: str, version: str) -> SimpleNamespace:
        return SimpleNamespace(version=version, tags=self.standings[version].tags())

    def set_registered_model_alias(self, _name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version


def test_of_two_at_once_the_better_one_is_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    registry = Registry({"1": ONE, "2": replace(ONE, value=0.6)})
    with ThreadPoolExecutor() as pool:
        told = list(
            pool.map(
                lambda number: challenge(
                    registry, registry.standings[number], number, anyway=False
                ),
                registry.standings,
            )
        )
    assert sum("the first" in line for line in told) == 1
    assert registry.aliases == {"champion": "2"}
