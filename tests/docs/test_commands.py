"""Every command of the documentation is run by a test, or says what it needs."""

import ast
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
from s2igan.comparison.variants import dotted_values
from s2igan.config import Params
from s2igan.engine.strict_yaml import parse_yaml, read_yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KNOWN: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("commands.yaml").read_text(encoding="utf-8")
)


class Command(NamedTuple):
    """One line behind a prompt, without its comment."""

    page: str
    line: str


def commands() -> Iterator[Command]:
    for page in PAGES:
        for block in re.findall(r"```(?:console|sh)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    said = re.sub(r"\s+#.*$", "", line[2:]).strip()
                    yield Command(page.relative_to(ROOT).as_posix(), re.sub(r"\s+", " ", said))


COMMANDS = sorted(set(commands()))


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


def overrides(line: str) -> list[str]:
    words = shlex.split(line)
    return [after for word, after in pairwise(words) if word == "-S"]


@pytest.mark.parametrize(
    "line", sorted({c.line for c in COMMANDS if " -S " in c.line}), ids=lambda line: line
)
def test_settings_that_are_changed_exist_and_go_together(line: str) -> None:
    values = read_yaml(ROOT / "params.yaml")
    assert isinstance(values, dict)
    known = dotted_values(values)
    for change in overrides(line):
        key, _, value = change.partition("=")
        assert key in known
        *folders, last = key.split(".")
        section: Any = values
        for folder in folders:
            section = section[folder]
        section[last] = parse_yaml(value)
    Params.model_validate(values)


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
