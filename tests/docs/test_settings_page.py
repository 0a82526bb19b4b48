"""docs/settings.md lists every setting of a machine, with its variable and its default."""

import re
from pathlib import Path

from s2igan.engine.runtime import Runtime

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)


def test_every_setting_stands_in_the_table_with_its_variable() -> None:
    assert {name for name, _, _ in ROWS} == set(Runtime.model_fields)
    assert all(variable == f"S2IGAN_{name.upper()}" for name, variable, _ in ROWS)


def test_the_defaults_are_those_of_the_program() -> None:
    """A default that is null is told in words."""
    defaults = {name: field.default for name, field in Runtime.model_fields.items()}
    for name, _, meaning in ROWS:
        if isinstance(defaults[name], str):
            assert f"`{defaults[name]}` (default" in meaning
        elif defaults[name] is not None:
            assert f"default {defaults[name]:g}" in meaning
