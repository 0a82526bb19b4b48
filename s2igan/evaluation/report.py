"""The figures as a table for the terminal, each group under the protocol it was taken by."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s2igan.errors import UserError

FILES = {
    "retrieval.json": "Retrieval of real pictures by speech (SEN)",
    "generation.json": "Pictures drawn from the speech of unseen species (RDG)",
}
"""Files of the metrics folder, with their headings."""

WIDTH = 100
_NAME, _NUMBER = 34, 10

Group = Mapping[str, Any]


def format_report(metrics: Path) -> str:
    """Lay all figures out as text, at most 100 columns wide.

    Args:
        metrics: folder of ``retrieval.json`` and ``generation.json``; one of them may be missing.

    Returns:
        Lines, the last one ended.

    Raises:
        UserError: if both are missing.
    """
    found = [metrics / name for name in FILES if (metrics / name).is_file()]
    if not found:
        raise UserError(
            f"figures in {str(metrics)!r}",
            got="no file of figures",
            expected=" or ".join(FILES),
            fix="run `dvc repro`",
        )
    lines: list[str] = []
    for path in found:
        lines += _file(FILES[path.name], json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(lines) + "\n"


def _file(title: str, figures: Group) -> list[str]:
    common = _common([figure["protocol"] for _, figure in _leaves(figures)])
    heading = (
        f"{'':{_NAME}}{'value':>{_NUMBER}}{'95 % interval':>{2 * _NUMBER}}{'chance':>{_NUMBER}}"
    )
    lines = ["", title, "═" * len(title), heading]
    for name, group in figures.items():
        lines += ["", *_controls(group)] if name == "controls" else _group(name, group, 0, common)
    lines += ["", *_notes(common, "")]
    return lines


def _group(name: str, group: Group, depth: int, common: list[str]) -> list[str]:
    indent = "  " * depth
    if "absent" in group:
        return _folded(f"{indent}{name}: absent, {'; '.join(group['absent'])}", indent)
    if "value" in group:
        return [_row(f"{indent}{name}", group)]
    lines = [f"{indent}{name}"] if depth else ["", name]
    figures = {key: item for key, item in group.items() if "value" in item}
    shared = _common([figure["protocol"] for figure in figures.values()])
    for key, item in group.items():
        lines += _group(key, item, depth + 1, common)
    return lines + _notes([line for line in shared if line not in common], indent + "  ")


def _row(name: str, figure: Group) -> str:
    interval = f"{_number(figure['low'])} – {_number(figure['high'])}" if "low" in figure else ""
    chance = _number(figure["chance"]) if "chance" in figure else ""
    value = _number(figure["value"])
    return f"{name:{_NAME}}{value:>{_NUMBER}}{interval:>{2 * _NUMBER}}{chance:>{_NUMBER}}".rstrip()


def _controls(group: Group) -> list[str]:
    """Lay the controls side by side: one row each, one column per figure."""
    if "absent" in group:
        return _group("controls", group, 0, [])
    columns = {
        "mAP": ("mAP",),
        "FID": ("FID",),
        "keywords": ("keywords", "all"),
        "colours": ("keywords", "colours"),
    }
    lines = [f"{'controls':{_NAME}}" + "".join(f"{name:>{_NUMBER}}" for name in columns)]
    for name, row in group.items():
        cells = [_cell(row, path) for path in columns.values()]
        lines.append((f"  {name:{_NAME - 2}}" + "".join(f"{c:>{_NUMBER}}" for c in cells)).rstrip())
    return lines


def _cell(row: Group, path: tuple[str, ...]) -> str:
    item: Any = row
    for key in path:
        item = item.get(key, {})
    return _number(item["value"]) if "value" in item else "–"


def _leaves(group: Group) -> Iterator[tuple[str, Group]]:
    for name, item in group.items():
        if "value" in item:
            yield name, item
        elif "absent" not in item:
            yield from _leaves(item)


def _common(protocols: list[list[str]]) -> list[str]:
    """Return the sentences that stand in every protocol, in the order of the first."""
    if not protocols:
        return []
    return [line for line in protocols[0] if all(line in other for other in protocols[1:])]


def _notes(sentences: list[str], indent: str) -> list[str]:
    return [line for sentence in sentences for line in _folded(f"{indent}· {sentence}", indent)]


def _folded(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="", subsequent_indent=f"{indent}  ", drop_whitespace=True
    )


def _number(value: float) -> str:
    decimals = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{decimals}f}"
