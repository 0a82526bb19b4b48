"""The figures of a card that a user asks for first, out of the many that it holds."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from s2igan.metrics.rounding import rounded

HEADLINES: tuple[tuple[str, str], ...] = (
    ("retrieval/speech_to_image/mAP", "real pictures found by speech, mAP"),
    ("retrieval/speech_to_image/R@1", "real pictures found by speech, R@1"),
    ("generation/consistency/all_pairs/mAP", "real pictures found by drawn ones, mAP"),
    ("generation/keywords/generated/all", "mentioned attributes seen in the drawn picture"),
    ("generation/keywords/generated/colours", "mentioned colours seen in the drawn picture"),
    ("generation/swap/follows/all", "pictures that follow a changed colour word"),
    ("generation/fidelity/generated/FID", "FID, smaller is better"),
    ("generation/fidelity/generated/IS", "IS"),
)
"""Where each stands in a card's ``figures``, and what it is."""

KINDS = {"retrieval": "speech and real pictures", "generation": "drawn pictures"}


class Figure(NamedTuple):
    """One figure: what it is, its value, chance and 95 % interval where known, its protocol.

    ``kind`` is what the stage that took it judges.
    """

    kind: str
    name: str
    value: float
    chance: float | None
    interval: tuple[float, float] | None
    protocol: tuple[str, ...]


def figure_at(card: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """Return the figure that stands at ``path`` in a card's ``figures``; None if none does."""
    figure: Any = card.get("figures", {})
    for key in path.split("/"):
        figure = figure.get(key) if isinstance(figure, Mapping) else None
    return figure if isinstance(figure, Mapping) and "value" in figure else None


def headlines(card: Mapping[str, Any]) -> Iterator[Figure]:
    """Yield the figures of :data:`HEADLINES` that a card holds."""
    for path, name in HEADLINES:
        if figure := figure_at(card, path):
            interval = (figure["low"], figure["high"]) if "low" in figure else None
            yield Figure(
                KINDS[path.partition("/")[0]],
                name,
                figure["value"],
                figure.get("chance"),
                interval,
                tuple(figure["protocol"]),
            )


def number(value: float | None) -> str:
    """Write a figure with about three digits that count; nothing for None."""
    return "" if value is None else rounded(value)
