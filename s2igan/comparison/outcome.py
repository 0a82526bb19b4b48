"""What a run of one variant leaves behind, whoever ran it."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from s2igan.comparison.variants import Variant
from s2igan.engine.pictures import Picture, decode_picture
from s2igan.errors import UserError

RETRIEVAL = "metrics/retrieval.json"
GENERATION = "metrics/generation.json"
CLASSES = "metrics/classes.tsv"
ROW_PICTURE = "plots/samples_row.png"

ClassTotals = Mapping[str, tuple[float, float]]
"""Sum and number of a figure's values by class."""


@dataclass(frozen=True)
class Outcome:
    """A variant that ran.

    Args:
        variant: which one.
        read: returns the bytes of a file of the experiment by its path in the repository, or None
            where there is no such file.
    """

    variant: Variant
    read: Callable[[str], bytes | None]

    @cached_property
    def retrieval(self) -> dict[str, Any]:
        """Figures of SEN."""
        return self._json(RETRIEVAL)

    @cached_property
    def generation(self) -> dict[str, Any]:
        """Figures of the generated pictures."""
        return self._json(GENERATION)

    @cached_property
    def classes(self) -> dict[str, ClassTotals]:
        """Totals by figure and class; the figures are named by their paths."""
        data = self.read(CLASSES)
        totals: dict[str, dict[str, tuple[float, float]]] = {}
        if data is None:
            return {}
        for row in csv.DictReader(io.StringIO(data.decode(errors="replace")), delimiter="\t"):
            try:
                entry = float(row["sum"]), float(row["count"])
                totals.setdefault(row["figure"], {})[row["class"]] = entry
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"{CLASSES} of {self.variant.name}",
                    got=repr(dict(row)),
                    expected="figure, class, sum and count",
                ) from error
        return dict(totals)

    @property
    def row_picture(self) -> Picture | None:
        """Described pictures over the drawn ones, ``(2 * S, n * S, 3)`` uint8."""
        data = self.read(ROW_PICTURE)
        return None if data is None else decode_picture(data, f"{self.variant.name}: {ROW_PICTURE}")

    def figure(self, path: str) -> dict[str, Any] | None:
        """Return the figure at a path such as ``consistency/all_pairs/mAP``, if it was taken.

        Paths that start with ``retrieval/`` are SEN's.
        """
        *_, last = self._groups(path)
        return last if isinstance(last, dict) and "value" in last else None

    def reasons(self, path: str) -> list[str]:
        """Return why there is no figure at a path, where the file says so."""
        told = [g["absent"] for g in self._groups(path) if isinstance(g, dict) and "absent" in g]
        return [str(reason) for reason in told[0]] if told else []

    def value(self, path: str) -> float | None:
        """Return the value of :meth:`figure`."""
        found = self.figure(path)
        return None if found is None else float(found["value"])

    def _groups(self, path: str) -> Iterator[Any]:
        first, _, rest = path.partition("/")
        item: Any = self.retrieval if first == "retrieval" else self.generation
        for part in (rest if first == "retrieval" else path).split("/"):
            item = item.get(part) if isinstance(item, dict) else None
            yield item

    def _json(self, path: str) -> dict[str, Any]:
        data = self.read(path)
        if data is None:
            return {}
        try:
            figures: dict[str, Any] = dict(json.loads(data))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path} of {self.variant.name}",
                got=error,
                expected="the figures of a stage",
                fix="remove what holds it, and run the list again",
            ) from error
        return figures


@dataclass(frozen=True)
class Failure:
    """A variant that did not run to its end.

    Args:
        variant: which one.
        reason: one line.
    """

    variant: Variant
    reason: str


def pooled(
    outcomes: list[Outcome], figure: str, classes: list[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Average the totals of a figure over outcomes, seeds of one row say.

    Returns:
        Sums ``(C,)`` and counts ``(C,)`` by class; both 0 where a class has no value.
    """
    totals = [
        [outcome.classes.get(figure, {}).get(name, (0.0, 0.0)) for name in classes]
        for outcome in outcomes
    ]
    mean = np.asarray(totals, np.float64).mean(axis=0)  # (C, 2)
    return mean[:, 0], mean[:, 1]
