"""Which of two registered models is the champion: the better one, if both were judged alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from s2igan.engine.showcase import values_of
from s2igan.engine.tracking import metric_name
from s2igan.errors import UserError
from s2igan.serving.figures import HEADLINES, figure_at, number

METRIC = "generation/consistency/all_pairs/mAP"
"""Real pictures found by drawn ones, mean average precision over all pairs."""

_SMALLER_IS_BETTER = {"FID", "KID"}


@dataclass(frozen=True)
class Standing:
    """What one model reached in one figure, and how that was measured.

    Attributes:
        metric: where the figure stands among those of a card, such as :data:`METRIC`.
        value: the figure.
        corpus: kind of the corpus.
        edition: its edition.
        protocol: how the figure was taken.
    """

    metric: str
    value: float
    corpus: str
    edition: str
    protocol: str

    @classmethod
    def of_card(cls, card: Mapping[str, Any], metric: str) -> Self | None:
        """Take it from a card; None if the card has no such figure."""
        if (figure := figure_at(card, metric)) is None:
            return None
        corpus = card.get("corpus", {})
        kind, edition = (str(corpus.get(key, "unknown")) for key in ("kind", "edition"))
        return cls(metric, float(figure["value"]), kind, edition, "; ".join(figure["protocol"]))

    @classmethod
    def of_tags(cls, tags: Mapping[str, str], metric: str) -> Self | None:
        """Take it from the tags of a version; None if they hold no such figure."""
        value, protocol = _tags_of(metric)
        if value not in tags:
            return None
        corpus, edition = (tags.get(f"corpus.{key}", "unknown") for key in ("kind", "edition"))
        return cls(metric, float(tags[value]), corpus, edition, tags.get(protocol, ""))

    def tags(self) -> dict[str, str]:
        """Return the tags that :meth:`of_tags` reads."""
        value, protocol = _tags_of(self.metric)
        return {
            "corpus.kind": self.corpus,
            "corpus.edition": self.edition,
            value: repr(self.value),
            protocol: self.protocol,
        }

    def is_better_than(self, other: "Standing") -> bool:
        """Compare two that :meth:`difference` finds nothing between."""
        if self.metric.rpartition("/")[2] in _SMALLER_IS_BETTER:
            return self.value < other.value
        return self.value > other.value

    def difference(self, other: "Standing") -> str | None:
        """Return what keeps the figures of two models from being compared; None if nothing does."""
        for name in ("corpus", "edition", "protocol"):
            own, theirs = getattr(self, name), getattr(other, name)
            if own != theirs:
                return f"another {name} ({_first_difference(own, theirs)})"
        return None


def place_of(metric: str, card: Mapping[str, Any]) -> str:
    """Return where a metric, perhaps by its name in MLflow, stands in a card's ``figures``.

    Runs of the stage ``evaluate`` name their own figures without ``generation/``.
    """
    places = [place for place, _ in values_of(card.get("figures", {}))]
    short = {metric_name(place.removeprefix("generation/")): place for place in places}
    full = {metric_name(place): place for place in places}
    return (short | full).get(metric_name(metric), metric)


def standings(card: Mapping[str, Any], metric: str) -> dict[str, Standing]:
    """Return ``metric`` and the headline figures that a card holds, by metric.

    Raises:
        UserError: if the card has no figure ``metric``.
    """
    metrics = [metric, *(path for path, _ in HEADLINES)]
    found = {name: one for name in metrics if (one := Standing.of_card(card, name))}
    if metric not in found:
        raise UserError(
            f"metric {metric!r}",
            got="no such figure about this model",
            expected=f"one of {', '.join(found) or 'metrics/'}",
            fix="`dvc repro` renews those that are older than the model",
        )
    return found


def verdict(
    new: Standing, version: str, present: Standing | None, champion: str | None
) -> tuple[bool, str]:
    """Decide whether the alias moves, and say why in one line.

    Args:
        new: of the new version.
        version: its number.
        present: of the champion; None if it has no such figure.
        champion: the champion's number; None if there is none.
    """
    told = f"{new.metric} {number(new.value)}"
    if champion is None:
        return True, f"champion is version {version}, the first: {told}"
    if present is None:
        return False, f"champion stays version {champion}: it has no figure {new.metric}"
    if difference := new.difference(present):
        return False, f"champion stays version {champion}: {version} was judged by {difference}"
    was = number(present.value)
    if new.is_better_than(present):
        return True, f"champion moves from version {champion} to {version}: {told}, was {was}"
    return False, f"champion stays version {champion}: {told} of {version} is no better than {was}"


def _tags_of(metric: str) -> tuple[str, str]:
    return metric_name(metric), metric_name(f"protocol of {metric}")


def _first_difference(own: str, theirs: str) -> str:
    pairs = zip(own.split("; "), theirs.split("; "), strict=False)
    new, old = next(((a, b) for a, b in pairs if a != b), (own, theirs))
    return f"{new!r}, not {old!r}"
