"""`dvc.yaml` against the code: commands, dependencies, parameters, outputs."""

import importlib
import json
import math
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import yaml

from s2igan.engine.stage import NETWORK_LISTS, OF_OTHER_SECTIONS, Stage
from tests.pipeline.conftest import SMALL
from tests.pipeline.dependencies import ROOT, expected_sources, rewritten

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]
NAMES = ["download", "tts", "features", "train_sen", "embed", "train_rdg", "sample", "evaluate"]
SECTIONS = {
    "download": ["corpus", *OF_OTHER_SECTIONS["download"]],
    "train_sen": ["sen"],
    "train_rdg": ["rdg"],
}
COMPACT = "s2igan/vision/weights/compact.safetensors"
READER = "s2igan/vision/weights/reader.safetensors"


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outputs(name: str) -> list[str]:
    stage = STAGES[name]
    return [path for kind in ("outs", "metrics", "plots") for path in paths(stage.get(kind, []))]


def arguments(name: str) -> dict[str, str]:
    words = shlex.split(STAGES[name]["cmd"])
    assert words[:3] == ["python", "-m", f"stages.{name}"]
    options, values = words[3::2], words[4::2]
    return {option.removeprefix("--"): value for option, value in zip(options, values, strict=True)}


def module(name: str) -> Stage[Any]:
    stage: Stage[Any] = importlib.import_module(f"stages.{name}").STAGE
    return stage


def test_the_stages_are_those_of_the_design_in_their_order() -> None:
    assert list(STAGES) == NAMES
    assert sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py")) == sorted(NAMES)


def test_source_deps_are_what_make_deps_writes() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert text == rewritten(text), "run `make deps`"


@pytest.mark.parametrize("name", NAMES)
def test_source_deps_are_the_import_closure(name: str) -> None:
    sources = [dep for dep in STAGES[name]["deps"] if dep.endswith(".py")]
    assert sources == expected_sources(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_names_what_the_stage_takes(name: str) -> None:
    stage = module(name)
    assert stage.name == name
    assert list(arguments(name)) == [*stage.inputs, *stage.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_every_input_is_a_dep(name: str) -> None:
    data = {dep for dep in STAGES[name]["deps"] if not dep.startswith(("s2igan/", "stages/"))}
    given = {arguments(name)[option] for option in module(name).inputs}
    lists = {dep for dep in data if dep.startswith("artifacts/weights/")}
    assert lists == {f"artifacts/weights/{list_}.json" for list_ in NETWORK_LISTS.get(name, [])}
    assert data - lists == given - {"artifacts/weights"}
    assert ("artifacts/weights" in given) == bool(lists)


@pytest.mark.parametrize("name", NAMES)
def test_every_output_is_written_where_the_command_says(name: str) -> None:
    given = [arguments(name)[option] for option in module(name).outputs]
    for path in outputs(name):
        assert [place for place in given if path == place or path.startswith(f"{place}/")]
    for place in given:
        assert [path for path in outputs(name) if path == place or path.startswith(f"{place}/")]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_the_whole_section_of_the_same_name(name: str) -> None:
    assert STAGES[name]["params"] == SECTIONS.get(name, [name])
    assert module(name).section == STAGES[name]["params"][0]


def test_small_outputs_are_in_git_and_large_ones_in_the_cache() -> None:
    for stage in STAGES.values():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                path = paths([entry])[0]
                cached = isinstance(entry, str) or entry[path].get("cache", True)
                assert cached == path.startswith("artifacts/")
                # DVC restores no stage from its record of runs that has other outs without cache.
                assert cached or kind != "outs"


def test_metrics_and_plots_are_declared_file_by_file() -> None:
    written = [path for name in NAMES for path in outputs(name)]
    assert len(written) == len(set(written))
    small = {path for path in written if not path.startswith("artifacts/")}
    assert small == SMALL
    shown = str(PIPELINE["plots"])
    for path in small:
        # A picture stands among the plots of its stage already, and would be shown twice.
        assert (path in shown) == (path.startswith("plots/") and path.endswith(".tsv"))


def plotted() -> Iterator[tuple[str, list[str], str]]:
    """Yield file, columns and template of every plot of a table."""
    for stage in STAGES.values():
        for path, plot in (item for entry in stage.get("plots", []) for item in entry.items()):
            if path.endswith(".tsv"):
                yield path, [plot["x"], plot["y"]], plot.get("template", "linear")
    for plot in (plot for entry in PIPELINE["plots"] for plot in entry.values()):
        for path, columns in plot["y"].items():
            yield path, [plot["x"], *columns], plot["template"]


@pytest.mark.parametrize(("path", "columns", "template"), [*plotted()])
def test_plots_show_numbers_alone(path: str, columns: list[str], template: str) -> None:
    own = ROOT / ".dvc" / "plots" / f"{template}.json"
    table = pd.read_csv(ROOT / path, sep="\t", dtype=str, keep_default_na=False)
    cells = {cell for name in columns if "$" not in name for cell in table[name]}
    if own.is_file():
        json.loads(own.read_text(encoding="utf-8"))
        return
    # DVC's own line would draw what was not measured as 0, and no text at all.
    assert template == "linear"
    assert all(math.isfinite(float(cell)) for cell in cells)


def test_a_plot_has_one_column_so_that_no_variant_misses_a_plot_of_what_it_has() -> None:
    plots = [list(plot["y"].values()) for entry in PIPELINE["plots"] for plot in entry.values()]
    assert [sum(map(len, files)) for files in plots] == [1] * len(plots)


def test_what_was_not_measured_is_left_out_of_its_plot() -> None:
    text = (ROOT / ".dvc" / "plots" / "measured.json").read_text(encoding="utf-8")
    assert json.loads(text)["transform"] == [{"filter": "datum['<DVC_METRIC_Y>'] !== ''"}]


def test_the_judge_is_kept_out_of_every_training() -> None:
    assert [name for name in NAMES if READER in STAGES[name]["deps"]] == ["evaluate"]
    for name in ("features", "train_sen", "embed", "train_rdg", "sample"):
        assert not [dep for dep in STAGES[name]["deps"] if "evaluation" in dep]


def test_shipped_networks_are_deps_of_the_stages_that_load_them() -> None:
    loaders = [name for name in NAMES if COMPACT in STAGES[name]["deps"]]
    assert loaders == ["features", "train_rdg", "evaluate"]
    for name in loaders:
        assert "s2igan/vision/backbones.py" in STAGES[name]["deps"]


def test_every_stage_says_what_it_does() -> None:
    assert all(stage["desc"] for stage in STAGES.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_is_a_wire(name: str) -> None:
    text = (ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert not re.search(r"\b(for|while|try|class)\b .*:$", text, re.MULTILINE)


def test_the_data_is_pinned_without_a_cache() -> None:
    pin = yaml.safe_load((ROOT / "data.dvc").read_text(encoding="utf-8"))["outs"][0]
    assert pin["path"] == "data"
    assert pin["cache"] is False
    assert pin["nfiles"] == len([p for p in (ROOT / "data").rglob("*") if p.is_file()])


def test_links_and_telemetry_are_set_for_everyone() -> None:
    config = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert 'type = "reflink,hardlink,symlink,copy"' in config


def test_what_runs_leave_behind_is_ignored() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for path in ("/artifacts/", "/.s2igan/", "/mlruns/", "/mlflow.db*", "/runtime.yaml"):
        assert path in ignored
    for path in ("__pycache__", "*.pyc"):
        assert path in (ROOT / ".dvcignore").read_text(encoding="utf-8").split()
