"""How the figures were taken: what all share said once, what one has of its own beneath it."""

from collections.abc import Sequence

from s2igan.comparison.figures import Column, Entry


def protocol_section(
    columns: Sequence[Column], entries: Sequence[Entry], reference: Entry
) -> list[str]:
    """Return the sentences of the reference's figures, and where another row's differ.

    Args:
        columns: figures that the tables show.
        entries: the rows.
        reference: the row whose protocol is written out.
    """
    said = {column: _sentences(reference, column) for column in columns}
    said = {column: sentences for column, sentences in said.items() if sentences}
    # Figures of SEN and of the generated pictures share few sentences; each half has its own.
    lines: list[str] = []
    for title, retrieval in (("Generated pictures", False), ("Real pictures, by SEN", True)):
        part = {c: s for c, s in said.items() if c.path.startswith("retrieval/") == retrieval}
        if not part:
            continue
        common = _common(list(part.values()))
        lines += ["", f"{title}:", "", *(f"* {sentence}" for sentence in common)]
        for column, sentences in part.items():
            if own := [sentence for sentence in sentences if sentence not in common]:
                lines.append(f"* *{column.title}*: {'; '.join(own)}")
    return [*lines[1:], *_departures(said, entries, reference)]


def _departures(
    said: dict[Column, list[str]], entries: Sequence[Entry], reference: Entry
) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        other = [
            f"{column.title}: {'; '.join(differ)}"
            for column, sentences in said.items()
            if (differ := [s for s in _sentences(entry, column) if s not in sentences])
        ]
        if entry.name != reference.name and other:
            lines.append(f"* {entry.title}: {' | '.join(other)}")
    return ["", "Where a row's protocol differs:", "", *lines] if lines else []


def absences(columns: Sequence[Column], reference: Entry) -> list[str]:
    """Return why figures are missing from the reference row, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for column in columns:
        for reason in reference.first.reasons(column.path):
            reasons.setdefault(reason, []).append(column.title)
    return [f"* {', '.join(titles)}: absent, {reason}" for reason, titles in reasons.items()]


def _sentences(entry: Entry, column: Column) -> list[str]:
    figure = entry.first.figure(column.path) or {}
    return [str(sentence) for sentence in figure.get("protocol", [])]


def _common(protocols: list[list[str]]) -> list[str]:
    return [s for s in protocols[0] if all(s in protocol for protocol in protocols)]
