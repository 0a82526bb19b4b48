"""What one sees of a training: curves of every loss, and one grid over the course of it."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.divergence import require_finite
from s2igan.engine.pictures import Picture, save_png, tile

FIX = "lower rdg.lr_g and rdg.lr_d, or set rdg.precision to float32"
"""What a user can do about losses and weights that are not finite."""

_LOSS = re.compile(r"D_\d+")


class Curves:
    """Means of the loss terms over intervals of steps."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the terms of one step; they stay on the device, so nothing waits for it."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def check(self, step: int) -> None:
        """See that the terms since the last row are finite.

        Raises:
            DivergedError: if one is not: training has diverged before ``step``.
        """
        for name, value in self._values().items():
            require_finite(f"loss {name!r} of the generative model", value, step, FIX)

    def close_row(self, step: int) -> dict[str, float]:
        """End the interval at ``step`` and return its means.

        Raises:
            DivergedError: if a term is not finite.
        """
        self.check(step)
        row = {name: value / self._counts[name] for name, value in self._values().items()}
        self.rows.append({"step": step, **row})
        self._sums, self._counts = {}, {}
        return row

    def main_losses(self) -> str:
        """Return in a few words the last row's losses of the largest pictures, and KL."""
        row = self.rows[-1]
        largest = max(int(name[2:]) for name in row if _LOSS.fullmatch(name))
        names = (f"D_{largest}", f"G_{largest}", "KL")
        return ", ".join(f"{name} {row[name]:.4g}" for name in names)

    def _values(self) -> dict[str, float]:
        # One transfer for all of them.
        if not self._sums:
            return {}
        values = torch.stack(list(self._sums.values())).tolist()
        return dict(zip(self._sums, values, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from :meth:`state_dict`."""
        self.rows, self._counts = state["rows"], state["counts"]
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}


class TrainingGrid:
    """Real pictures in the first row, then a row of drawn ones per interval.

    Args:
        real: ``(columns, S, S, 3)`` uint8, whose captions the drawn ones follow.
        steps: last step of the training.
        rows: intervals.
    """

    def __init__(self, real: Picture, *, steps: int, rows: int) -> None:
        self.at = frozenset(math.ceil(row * steps / rows) for row in range(1, rows + 1))
        self._rows: list[npt.NDArray[np.uint8]] = [real]

    def add(self, pictures: Picture) -> Picture:
        """Add a row ``(columns, S, S, 3)`` and return the grid as one picture."""
        self._rows.append(pictures)
        return tile(np.concatenate(self._rows), columns=len(pictures))

    def write(self, path: Path) -> None:
        """Write the grid as PNG."""
        save_png(path, tile(np.concatenate(self._rows), columns=len(self._rows[0])))

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs."""
        return {"rows": [torch.from_numpy(row.copy()) for row in self._rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self._rows = [row.numpy() for row in state["rows"]]
