"""Every command of the documentation is run by a test, or says what it needs."""

import ast
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from s2igan.cli import build_parser
from s2igan.config import Params, combination_problems
from s2igan.engine.showcase import dotted
from s2igan.engine.strict_yaml import parse_yaml, read_yaml

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "bench" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
FENCED = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
KNOWN: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("commands.yaml").read_text(encoding="utf-8")
)


class Command(NamedTuple):
    """One line behind a prompt, without its comment."""

    page: str
    line: str
    params: str = "params.yaml"
    """The file whose parameters it is typed over."""


def read(page: Path) -> str:
    return page.read_text("utf-8").replace("\\\n", " ")


def commands() -> Iterator[Command]:
    for page in PAGES:
        for language, block in FENCED.findall(read(page)):
            if language in ("console", "sh"):
                yield from typed(page.relative_to(ROOT).as_posix(), block)


def typed(page: str, block: str) -> Iterator[Command]:
    params = "params.yaml"
    for line in block.splitlines():
        if line.startswith("$ "):
            said = re.sub(r"\s+", " ", uncommented(line[2:]))
            if copied := re.match(r"cp (presets/\S+) params\.yaml", said):
                params = copied[1]
            yield Command(page, said, params)


def uncommented(line: str) -> str:
    return re.sub(r"\s+#.*$", "", line).strip()


def code() -> Iterator[str]:
    """Every line of every block of code, and all code within sentences."""
    for page in PAGES:
        text = read(page)
        for _, block in FENCED.findall(text):
            yield from map(uncommented, block.splitlines())
        for span in re.findall(r"`([^`]+)`", FENCED.sub("", text)):
            yield re.sub(r"\s+", " ", span)


COMMANDS = sorted(set(commands()))
CODE = sorted(set(code()))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.page}: {command.line}")
def test_a_command_is_run_by_a_test_or_says_what_it_needs(command: Command) -> None:
    entries = [entry for entry in KNOWN if re.fullmatch(entry["command"], command.line)]
    assert entries, "not listed in tests/docs/commands.yaml"


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: str(entry["command"]))
def test_an_entry_names_a_command_that_is_there_and_what_runs_it(entry: dict[str, Any]) -> None:
    assert any(re.fullmatch(entry["command"], command.line) for command in COMMANDS)
    assert ("run_by" in entry) != ("needs" in entry)
    for test in entry.get("run_by", []):
        path, name = test.split("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_no_experiment_of_a_page_starts_from_the_setting_of_another(page: str) -> None:
    run = [c.line for c in COMMANDS if c.page == page and c.line.startswith("dvc exp run")]
    assert len(run) <= 1 or all("--temp" in line for line in run)


def overrides(line: str) -> list[str]:
    words = shlex.split(line)
    return [after for word, after in pairwise(words) if word == "-S"]


@pytest.mark.parametrize(
    ("params", "line"), sorted({(c.params, c.line) for c in COMMANDS if " -S " in c.line})
)
def test_settings_that_are_changed_exist_and_go_together(params: str, line: str) -> None:
    values = read_yaml(ROOT / params)
    assert isinstance(values, dict)
    known = dict(dotted(values))
    for change in overrides(line):
        key, _, value = change.partition("=")
        assert key in known
        *folders, last = key.split(".")
        section: Any = values
        for folder in folders:
            section = section[folder]
        section[last] = parse_yaml(value)
    assert not combination_problems(Params.model_validate(values))


def options(words: list[str]) -> dict[str, str]:
    assert all(word.startswith("--") for word in words[::2])
    return dict(zip(words[::2], words[1::2], strict=True))


def stage_calls() -> set[tuple[str, str]]:
    """Stage and what follows it, wherever a page runs one as a module."""
    return {found for text in CODE for found in re.findall(r"-m stages\.(\w+)([^;]*)", text)}


# Folders of docs/python.md, and those of the pipeline that they stand for.
OWN = {"artifacts/own": "artifacts/rdg", "artifacts/own-samples": "artifacts/samples"}


@pytest.mark.parametrize(("stage", "arguments"), sorted(stage_calls()))
def test_a_stage_is_run_by_hand_as_dvc_runs_it(stage: str, arguments: str) -> None:
    told, ellipsis, _ = arguments.partition("…")
    words = [OWN.get(word, word) for word in shlex.split(told)]
    given, whole = options(words), options(STAGES[stage]["cmd"].split()[3:])
    assert given.items() <= whole.items()
    if given and not ellipsis:
        assert given == whole


def bench_calls() -> set[tuple[str, str]]:
    """Module and arguments, wherever a page names a measurement."""
    return {found for text in CODE for found in re.findall(r"python -m (bench\.\w+)(.*)", text)}


@pytest.mark.parametrize(("module", "arguments"), sorted(bench_calls()))
def test_arguments_of_measurements_are_taken(module: str, arguments: str) -> None:
    importlib.import_module(module).build_parser().parse_args(shlex.split(arguments))


@pytest.mark.parametrize(
    "target", sorted({t for c in COMMANDS for t in re.findall(r"\bmake ([a-z]+)", c.line)})
)
def test_targets_of_make_exist(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "No rule to make target" not in done.stderr


@pytest.mark.parametrize(
    "line",
    sorted({c.line for c in COMMANDS if c.line.startswith("s2igan ")}),
    ids=lambda line: line,
)
def test_arguments_of_s2igan_are_taken(line: str) -> None:
    words = shlex.split(line)[1:]
    parsed = build_parser().parse_args([word for word in words if word != "--help"])
    assert callable(parsed.run)
