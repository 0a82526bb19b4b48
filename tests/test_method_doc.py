"""docs/method.md says what the code does: its links, keys, commands and equations hold."""

import re
import shlex
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from s2igan.config import Params, combination_problems
from s2igan.engine.strict_yaml import read_yaml
from tests.committed import needs_committed
from tests.method_links import LINK, METHOD, ROOT, line_of, renumbered, spans

TEXT = METHOD.read_text(encoding="utf-8")
EQUATIONS = 12  # of the paper
SECTIONS = tuple(Params.model_fields)
of_the_default = needs_committed("params.yaml")


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")


KEYS = frozenset(keys(Params))


def test_every_link_leads_to_the_line_that_it_names() -> None:
    assert renumbered(TEXT) == TEXT, "run `python -m tests.method_links`"


def test_every_link_into_the_code_names_what_stands_there() -> None:
    loose = re.findall(r"\]\(\.\./[^)]*\.py[^)]*\)", LINK.sub("", TEXT))
    assert not loose
    assert len(LINK.findall(TEXT)) > 40


def test_every_other_link_leads_to_a_file() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", TEXT)
    missing = [target for target in targets if not (METHOD.parent / target).exists()]
    assert not missing


def test_a_wrong_line_is_noticed_and_mended(tmp_path: Path) -> None:
    found = LINK.search(TEXT)
    assert found is not None
    moved = TEXT.replace(f"#L{found['line']})", "#L999999)", 1)
    assert moved != TEXT
    assert renumbered(moved) == TEXT
    with pytest.raises(LookupError, match="no file"):
        renumbered("`f` [a:1](../s2igan/nowhere.py#L1)")
    module = tmp_path / "module.py"
    module.write_text("A = 1\n\n\nclass C:\n    x: int = 2\n\n    def f(self):\n        return A\n")
    assert [line_of(module, name, None) for name in ("A", "C", "C.x", "C.f")] == [1, 4, 5, 7]
    assert line_of(module, "C.f", "return") == 8
    for name, fragment in (("g", None), ("C.f", "A = 1")):
        with pytest.raises(LookupError):
            line_of(module, name, fragment)
    assert "C.f" in spans(module.read_text())


def named_keys() -> list[str]:
    """Dotted words in code font that begin with a section; files and values are no keys."""
    inline = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    words = [re.split(r"[=: ]", span)[0] for span in re.findall(r"`([^`\n]+)`", inline)]
    dotted = [word for word in words if word.split(".")[0] in SECTIONS and "." in word]
    return [word for word in dotted if "/" not in word and "(" not in word]


def test_every_key_exists() -> None:
    assert len(named_keys()) > 40
    assert not sorted(set(named_keys()) - KEYS)


def commands() -> list[str]:
    """All `dvc exp run` commands, in code blocks and in the text."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(dvc exp run [^`\n]+)`", TEXT)
    return [line for line in (*lines, *inline) if line.startswith("dvc exp run")]


def settings(command: str) -> dict[str, Any]:
    words = shlex.split(command)
    pairs = [words[place + 1] for place, word in enumerate(words) if word == "-S"]
    return {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in pairs)}


@pytest.mark.parametrize("command", commands())
@pytest.mark.parametrize("base", ["params.yaml", "presets/cub.yaml"])
def test_every_command_is_a_valid_experiment_of_its_own(command: str, base: str) -> None:
    values = deepcopy(parameters(base))
    assert isinstance(values, dict)
    changes = settings(command)
    assert changes
    for dotted, value in changes.items():
        *way, last = dotted.split(".")
        place = values
        for key in way:
            place = place[key]
        assert last in place, dotted
        place[last] = value
    assert not combination_problems(Params.model_validate(values))


def test_every_equation_has_its_row() -> None:
    rows = re.findall(r"^\| \((\d+)\) \|", TEXT, flags=re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, EQUATIONS + 1))


DEPARTURES = TEXT.split("## What our default does otherwise")[1].split("## ")[0]
LIKE_DEFAULT = ("presets/indonesian.yaml", "presets/unheard-voices.yaml")
OF_THE_SECOND_TABLE = ("minibirds-long", "oxford102-cpu", "minibirds-256", "oxford102-256")
PACE = re.compile(r"(log|val|checkpoint)_every(_steps)?|grid_(rows|columns)")


def cells(columns: int) -> list[list[str]]:
    """The rows of the departures' table that has so many columns, but for its head."""
    rows = [line.strip("| ").split(" | ") for line in DEPARTURES.splitlines()]
    return [row for row in rows if len(row) == columns and row[0].startswith("`")]


def departures() -> list[tuple[str, str, str]]:
    """Key, default and value in the paper presets."""
    found: list[tuple[str, str, str]] = []
    for row in cells(4):
        named = re.findall(r"`([^`]+)`", row[0])
        found += zip(named, row[1].split(", "), row[2].split(", "), strict=True)
    return found


def told(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


@cache
def parameters(path: str) -> object:
    """The values of a file of this repository, which many tests ask for."""
    return read_yaml(ROOT / path)


def value_of(path: str, dotted: str) -> Any:
    value = parameters(path)
    for key in dotted.split("."):
        assert isinstance(value, dict)
        value = value[key]
    return value


@of_the_default
def test_the_departures_are_set_as_told() -> None:
    rows = departures()
    assert len(rows) > 10
    for key, ours, theirs in rows:
        assert told(value_of("params.yaml", key)) == ours, key
        assert ours != theirs, key
        for preset in ("presets/cub.yaml", "presets/oxford102.yaml"):
            assert told(value_of(preset, key)) == theirs, (key, preset)


@of_the_default
@pytest.mark.parametrize("preset", LIKE_DEFAULT)
def test_presets_of_the_defaults_size_differ_in_nothing_of_it(preset: str) -> None:
    for section in ("sen", "rdg", "sample"):
        assert value_of(preset, section) == value_of("params.yaml", section)


@of_the_default
@pytest.mark.parametrize("place", range(len(OF_THE_SECOND_TABLE)))
def test_other_presets_differ_as_the_second_table_tells(place: int) -> None:
    path = f"presets/{OF_THE_SECOND_TABLE[place]}.yaml"
    told_of = {row[0].strip("`"): (row[1], row[2 + place]) for row in cells(6)}
    assert len(told_of) > 10
    trained = {
        f"{section}.{name}"
        for section in ("sen", "rdg")
        for name in value_of("params.yaml", section)
        if not PACE.fullmatch(name)
    }
    for key in trained | {key for key, _, _ in departures()}:
        default = told(value_of("params.yaml", key))
        expected, other = told_of.get(key, (default, "·"))
        assert expected == default, key
        assert told(value_of(path, key)) == (default if other == "·" else other), key
