"""The course of a training as a table: what was measured at which step."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2igan.engine.folders import write_whole


def write_curves(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write one line per row, tab-separated; a cell that was not measured stays empty.

    Whole numbers of an integer type are written whole, others with six significant digits.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    cells = [[_cell(row[name]) if name in row else "" for name in columns] for row in rows]
    text = "".join("\t".join(line) + "\n" for line in ([*columns], *cells))
    write_whole(path, text.encode())


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
