import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from s2igan.engine.showcase import values_of
from s2igan.evaluation.class_table import class_names, write_class_table
from s2igan.evaluation.figures import Resampling, absent, figure, means
from s2igan.metrics.intervals import bootstrap_over_classes
from tests.evaluation.test_evaluate import evaluate, swapped
from tests.evaluation.world import settings

RESAMPLING = Resampling(seed=0, permutations=5, draws=100)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_rows_hold_sums_and_counts_per_class(tmp_path: Path) -> None:
    values, classes = np.array([1.0, 0, 0.5, 0.25]), np.array([7, 3, 7, 3])
    mean = RESAMPLING.mean(values, classes, ["so"], chance=0.5)
    figures = {
        "group": {"mAP": mean, "missing": absent("why")},
        "fidelity": {"FID": figure(3.0, [])},
        "controls": {"real": {"mAP": mean}},
    }
    path = tmp_path / "metrics" / "classes.tsv"
    write_class_table(path, figures, {3: "wren", 7: "owl"})
    assert path.read_text() == (
        "figure\tclass\tsum\tcount\ngroup/mAP\twren\t0.25\t2\ngroup/mAP\towl\t1.5\t2\n"
    )


def test_a_value_is_the_total_of_its_sums_over_the_total_of_its_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    figures = {
        name: RESAMPLING.mean(rng.random(101), rng.integers(0, 7, 101), []) for name in ("a", "b")
    }
    path = tmp_path / "classes.tsv"
    write_class_table(path, figures, {number: str(number) for number in range(7)})
    table = pd.DataFrame(rows_of(path)).astype({"sum": float, "count": int})
    totals = table.groupby("figure")[["sum", "count"]].sum()
    for name, mean in figures.items():
        assert mean["value"] == totals["sum"][name] / totals["count"][name]


def test_the_sums_stay_out_of_the_json_and_go_by_the_same_paths() -> None:
    mean = RESAMPLING.mean(np.array([1.0, 0]), np.array([0, 1]), ["so"])
    figures = {"a": {"b": mean}, "c": figure(2.0, [])}
    assert json.loads(json.dumps(mean)).keys() == {"value", "low", "high", "protocol"}
    assert [path for path, _ in means(figures)] == ["a/b"]
    assert dict(values_of(figures)) == {"a/b": 0.5, "c": 2.0}


@pytest.mark.parametrize("name", ["a\tb", 'the "wren"', "a\nb"])
def test_any_class_name_can_be_read_back(name: str, tmp_path: Path) -> None:
    mean = RESAMPLING.mean(np.array([1.0]), np.array([0]), [])
    write_class_table(tmp_path / "classes.tsv", {"a": mean}, {0: name})
    assert rows_of(tmp_path / "classes.tsv")[0]["class"] == name


@pytest.mark.parametrize("missing", ["", None, float("nan"), pd.NA])
def test_a_class_without_a_name_goes_by_its_number(missing: Any) -> None:
    images = pd.DataFrame({"class_id": [2, 2, 5], "class_name": ["owl", "owl", missing]})
    assert class_names(images) == {2: "owl", 5: "5"}


def test_the_interval_is_drawn_as_the_parameters_say() -> None:
    resampling = Resampling.of(settings(seed=4, chance_permutations=5, bootstrap_draws=200))
    assert resampling == Resampling(seed=4, permutations=5, draws=200)
    rng = np.random.default_rng(0)
    values, classes = rng.random(60), rng.integers(0, 9, 60)
    mean = resampling.mean(values, classes, [])
    assert (mean["low"], mean["high"]) == bootstrap_over_classes(values, classes, 4, 200)


def test_no_value_has_no_mean() -> None:
    empty: Any = np.zeros(0)
    with pytest.raises(ValueError, match="no values"):
        RESAMPLING.mean(empty, empty, [])


def test_the_table_of_classes_gives_the_figures_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = swapped(tmp_path)
    world.write()
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "metrics" / "classes.tsv", sep="\t")
    totals = table.groupby("figure")[["sum", "count"]].sum()
    flat = dict(values_of(figures))
    for name, row in totals.iterrows():
        assert flat[str(name)] == pytest.approx(row["sum"] / row["count"], rel=1e-5, abs=1e-6)
    for name in (
        "consistency/all_pairs/mAP",
        "consistency/paper_protocol/mAP",
        "r_precision/R-precision",
        "keywords/generated/all",
        "swap/follows/all",
        "diversity/draws/features",
    ):
        assert name in totals.index
    assert not [name for name in totals.index if str(name).startswith("controls")]
    assert set(table["class"]) <= {f"species {row['class_id']}" for row in world.images}
