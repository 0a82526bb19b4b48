"""The figures as a table for the terminal, each group under the protocol it was taken by."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s2igan.errors import UserError
from s2igan.metrics.rounding import rounded

FILES = {
    "retrieval.json": "Retrieval of real pictures by speech (SEN)",
    "generation.json": "Pictures drawn from descriptions",
}
"""Files of the metrics folder, with their headings."""

WIDTH, _NARROWEST = 100, 60
_NAME, _NUMBER, _INTERVAL = 32, 9, 18
_ROW = _NAME + _NUMBER + _INTERVAL + _NUMBER

Group = Mapping[str, Any]


def terminal_width() -> int:
    """Return the columns of the terminal that is written to, 60 to 100; 100 where it is none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return WIDTH
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), WIDTH)


def format_report(metrics: Path, width: int = WIDTH) -> str:
    """Lay all figures out as text.

    Args:
        metrics: folder of ``retrieval.json`` and ``generation.json``; one of them may be missing.
        width: columns that sentences are folded to; the figures themselves take up to 68.

    Returns:
        Lines, the last one ended.

    Raises:
        UserError: if both are missing, or one holds something else.
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
        try:
            lines += _file(FILES[path.name], json.loads(path.read_text(encoding="utf-8")), width)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"figures in {str(path)!r}",
                got=f"no figures that can be read ({type(error).__name__}: {error})",
                expected="what the stages embed and evaluate write, each figure with a protocol",
                fix="end the merge that left marks in it, or run `dvc repro`",
            ) from error
    return "\n".join(lines) + "\n"


def _file(title: str, figures: Group, width: int) -> list[str]:
    common = _shared(figures)
    heading = f"{'':{_NAME}}{'value':>{_NUMBER}}{'95 % interval':>{_INTERVAL}}{'chance':>{_NUMBER}}"
    lines = ["", title, "═" * len(title), heading]
    for name, group in figures.items():
        if name == "controls" and "absent" not in group:
            lines += ["", *_controls(group, width)]
        else:
            lines += ["", *_group(name, group, "", common, width)]
    return [*lines, "", *_notes(common, "", width)]


def _group(name: str, group: Group, indent: str, said: list[str], width: int) -> list[str]:
    """Lay one group out; sentences in ``said`` stand further up already."""
    if "absent" in group:
        told = f"{indent}{name}: absent, {'; '.join(group['absent'])}"
        return _folded(told, indent + "  ", width)
    if "value" in group:
        own = [line for line in group["protocol"] if line not in said]
        row = _row(f"{indent}{name}", group)
        if own and len(beside := f"{row:{_ROW}}  · {'; '.join(own)}") <= width:
            return [beside]
        return [row, *_notes(own, indent + "  ", width)]
    shared = [line for line in _shared(group) if line not in said]
    lines = [f"{indent}{name}", *_notes(shared, indent + "  ", width)]
    for key, item in group.items():
        lines += _group(key, item, indent + "  ", said + shared, width)
    return lines


def _row(name: str, figure: Group) -> str:
    interval = f"{rounded(figure['low'])} – {rounded(figure['high'])}" if "low" in figure else ""
    chance = rounded(figure["chance"]) if "chance" in figure else ""
    value = rounded(figure["value"])
    return f"{name:{_NAME}}{value:>{_NUMBER}}{interval:>{_INTERVAL}}{chance:>{_NUMBER}}".rstrip()


def _controls(group: Group, width: int) -> list[str]:
    """Lay the controls side by side: one row each, one column per figure."""
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
        # The distance's protocol names the pictures; where it is absent, that of the mAP does.
        named = next((row[key] for key in ("FID", "mAP") if "value" in row.get(key, {})), None)
        told = named["protocol"][:1] if named else row.get("absent", [])
        lines += _notes(told, "    ", width)
    return lines


def _cell(row: Group, path: tuple[str, ...]) -> str:
    item: Any = row
    for key in path:
        item = item.get(key, {})
    return rounded(item["value"]) if "value" in item else "–"


def _shared(group: Group) -> list[str]:
    """Return the sentences that stand in the protocol of every figure of a group."""
    protocols = list(_protocols(group))
    return [line for line in protocols[0] if all(line in p for p in protocols)] if protocols else []


def _protocols(group: Group) -> Iterator[list[str]]:
    if "value" in group:
        yield group["protocol"]
    elif "absent" not in group:
        for name, item in group.items():
            if not isinstance(item, Mapping):
                raise TypeError(f"{name} is {item!r:.60}, which says nothing of its protocol")
            yield from _protocols(item)


def _notes(sentences: list[str], indent: str, width: int) -> list[str]:
    folded = (_folded(f"{indent}· {sentence}", indent, width) for sentence in sentences)
    return [line for lines in folded for line in lines]


def _folded(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=f"{indent}  ")
