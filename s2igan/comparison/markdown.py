"""Tables and numbers of the written page."""

from collections.abc import Sequence

from s2igan.comparison.differences import Comparison
from s2igan.comparison.figures import Summary
from s2igan.metrics.rounding import rounded

MISSING = "–"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; the first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [_line(header), _line(rule), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def number(value: float, *, signed: bool = False) -> str:
    """Write a figure with about three digits and a true minus sign."""
    return rounded(value, signed=signed).replace("-", "−")


def summary_cell(summary: Summary | None) -> str:
    """Write mean, spread over seeds and interval over test classes."""
    if summary is None:
        return MISSING
    text = number(summary.mean)
    if summary.deviation is not None:
        text += f" ± {number(summary.deviation)}"
    if summary.interval is not None:
        low, high = summary.interval
        text += f"<br>[{number(low)}, {number(high)}]"
    return text


def difference_cell(found: Comparison | None) -> str:
    """Write a difference with its interval and what it says, or with its spread over seeds."""
    if found is None:
        return MISSING
    value = number(found.value, signed=True)
    if (paired := found.paired) is not None:
        low, high = number(paired.low, signed=True), number(paired.high, signed=True)
        told = f"**{value}**" if paired.distinguishable else value
        verdict = "" if paired.distinguishable else f"<br>{found.verdict}"
        return f"{told}<br>[{low}, {high}]{verdict}"
    if len(found.by_seed) == 1:
        return f"{value} (one seed)"
    ends = min(found.by_seed.values()), max(found.by_seed.values())
    return f"{value}<br>({number(ends[0], signed=True)} to {number(ends[1], signed=True)})"


def duration(seconds: float) -> str:
    """Write a wall time in its natural unit."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
