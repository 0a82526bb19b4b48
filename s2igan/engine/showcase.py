"""One tracked run per variant: the last stage shows what the earlier ones wrote, beside its own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from s2igan.engine.tracking import Tracker


def show_all(tracker: Tracker, own_metrics: Path, plots: Path) -> None:
    """Log the figures of every other file beside ``own_metrics``, and all plots as files.

    What is read here is shown and never enters a result, so that no dependency is needed.

    Args:
        tracker: the tracker of the last stage.
        own_metrics: the stage's own JSON file of figures, which it has logged itself.
        plots: folder of pictures and curves.
    """
    for path in sorted(own_metrics.parent.glob("*.json")):
        if path != own_metrics:
            figures = json.loads(path.read_text(encoding="utf-8"))
            tracker.summary(dict(_values(figures, path.stem)))
    for path in sorted([*plots.glob("*.png"), *plots.glob("*.tsv")]):
        tracker.file(path, "plots")


def _values(figures: Mapping[str, object], name: str) -> Iterator[tuple[str, float]]:
    value = figures.get("value")
    if isinstance(value, int | float):
        yield name, float(value)
    for key, group in figures.items():
        if isinstance(group, Mapping):
            yield from _values(group, f"{name}/{key}")
