"""One tracked run per variant: the last stage shows what the earlier ones wrote, beside its own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from s2igan.engine.tracking import Tracker, warn


def show_all(tracker: Tracker, own_metrics: Path, plots: Path) -> None:
    """Log the figures of every other file beside ``own_metrics``, and all plots as files.

    What is read here is shown and never enters a result, so that no dependency is needed.

    Args:
        tracker: the tracker of the last stage.
        own_metrics: the stage's own JSON file of figures, which it has logged itself.
        plots: folder of pictures and curves.
    """
    for path in sorted(own_metrics.parent.glob("*.json")):
        if path != own_metrics and (figures := _figures(path)) is not None:
            tracker.summary(dict(values_of(figures, path.stem)))
    for path in sorted([*plots.glob("*.png"), *plots.glob("*.tsv")]):
        tracker.file(path, "plots")


def _figures(path: Path) -> Mapping[str, object] | None:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        figures = None
    if isinstance(figures, Mapping):
        return figures
    warn(f"{str(path)!r} holds no figures and is left out")
    return None


def values_of(figures: Mapping[str, object], name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the values in groups of figures, each under ``name`` and its place there, with /."""
    value = figures.get("value")
    if isinstance(value, int | float):
        yield name, float(value)
    for key, group in figures.items():
        if isinstance(group, Mapping):
            yield from values_of(group, f"{name}/{key}" if name else key)


def dotted(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield parameters by their dotted keys."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
