"""The course of a training: means of its losses over intervals of steps, and the table of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2igan.engine.distributed import averages
from s2igan.engine.divergence import require_finite
from s2igan.engine.folders import write_whole


class Curves:
    """Means of the loss terms over intervals of steps.

    Args:
        whose: the losses are, as an error says it.
        fix: what a user can do about one that is not finite.

    Attributes:
        fix: see above.
        rows: means by name, each row with its last step, as :func:`write_curves` takes them.
    """

    def __init__(self, whose: str, fix: str) -> None:
        self._whose, self.fix = whose, fix
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the terms of one step; they stay on the device, so nothing waits for it."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def check(self, step: int) -> None:
        """See that the terms since the last row are finite, in every process.

        Raises:
            DivergedError: if one is not: training has diverged before ``step``.
        """
        sums = _numbers(averages(self._sums))
        # The sum of the parts is told last.
        for name in sorted(sums, key=lambda name: name == "loss"):
            require_finite(f"loss {name!r} of {self._whose}", sums[name], step, self.fix)

    def close_row(self, step: int, **further: float) -> dict[str, float]:
        """End the interval at ``step``; return its means, and what stands ``further`` in its row.

        Raises:
            DivergedError: if a term is not finite.
        """
        self.check(step)
        means = {name: sum_ / self._counts[name] for name, sum_ in _numbers(self._sums).items()}
        self.rows.append({"step": step, **means, **further})
        self._sums, self._counts = {}, {}
        return {**means, **further}

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from :meth:`state_dict`."""
        self.rows, self._counts = state["rows"], state["counts"]
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}


def _numbers(terms: Mapping[str, Tensor]) -> dict[str, float]:
    # One transfer for all of them.
    values = torch.stack(list(terms.values())).tolist() if terms else []
    return dict(zip(terms, values, strict=True))


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
