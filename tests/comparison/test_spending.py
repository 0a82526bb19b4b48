"""Costs of an experiment, found in the ledger by parameters and sources."""

from dataclasses import replace
from pathlib import Path

import pytest

from s2igan.comparison.pipeline import read_pipeline
from s2igan.comparison.spending import Ledger, open_ledger
from s2igan.engine.costs import Cost
from tests.comparison.fake import make_repository
from tests.comparison.results import params, variant

VALUES = params().model_dump(mode="json")
LINE = Cost(
    *("train_rdg", "k1", "now", VALUES, True, 100.0, 500, None, "cpu", "A, 2 cores", "2026-01-01")
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def ledger(root: Path, *lines: Cost) -> Ledger:
    stages = read_pipeline(root / "dvc.yaml")
    return Ledger(lines, stages, {stage.name: "now" for stage in stages})


def test_parts_of_a_stopped_training_add_up(root: Path) -> None:
    stopped = replace(LINE, finished=False, seconds=40.0, memory_mib=900)
    found = ledger(root, stopped, stopped, LINE).spent(variant())
    assert set(found) == {"train_rdg"}
    assert (found["train_rdg"].seconds, found["train_rdg"].memory_mib) == (180.0, 900)


def test_an_earlier_whole_execution_does_not_add_up(root: Path) -> None:
    again = replace(LINE, seconds=70.0, date="2026-02-02")
    other = replace(LINE, key="k0", seconds=1.0)
    found = ledger(root, other, LINE, other, again).spent(variant())["train_rdg"]
    assert (found.seconds, found.date) == (70.0, "2026-02-02")


def test_an_execution_that_has_not_ended_does_not_add_up(root: Path) -> None:
    begun = replace(LINE, finished=False, seconds=40.0)
    assert ledger(root, LINE, begun).spent(variant())["train_rdg"].seconds == 100.0


def test_of_two_equal_executions_the_later_one_counts_with_its_parts(root: Path) -> None:
    stopped = replace(LINE, finished=False, seconds=40.0)
    assert ledger(root, LINE, stopped, LINE).spent(variant())["train_rdg"].seconds == 140.0


@pytest.mark.parametrize(
    ("section", "key", "known"),
    [("rdg", "seed", False), ("corpus", "seed", False), ("sample", "seed", True)],
)
def test_a_line_is_of_the_variant_whose_parameters_the_stage_stands_on(
    root: Path, section: str, key: str, known: bool
) -> None:
    values = {**VALUES, section: {**VALUES[section], key: 77}}
    found = ledger(root, replace(LINE, params=values)).spent(variant())
    assert ("train_rdg" in found) is known


def test_lines_of_other_sources_or_keys_of_old_are_not_taken(root: Path) -> None:
    old, foreign = replace(LINE, sources="then"), replace(LINE, params={"rdg": {}})
    unfinished = replace(LINE, finished=False)
    assert ledger(root, old, foreign, unfinished).spent(variant()) == {}


def test_the_sources_of_today_are_read(root: Path) -> None:
    stages = read_pipeline(root / "dvc.yaml")
    before = open_ledger([], stages, root).sources
    (root / "stages" / "evaluate.py").write_text("changed = True")
    after = open_ledger([], stages, root).sources
    assert [name for name in before if before[name] != after[name]] == ["evaluate"]
