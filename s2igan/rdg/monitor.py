"""What one sees of a training: its main losses, and one grid over the course of it."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from s2igan.engine.pictures import Picture, save_png, tile

FIX = "lower rdg.lr_g and rdg.lr_d, or set rdg.precision to float32"
"""What a user can do about losses and weights that are not finite."""

_LOSS = re.compile(r"D_\d+")


def main_losses(row: Mapping[str, float]) -> str:
    """Say in a few words a row's losses of the largest pictures, and KL."""
    largest = max(int(name[2:]) for name in row if _LOSS.fullmatch(name))
    names = (f"D_{largest}", f"G_{largest}", "KL")
    return ", ".join(f"{name} {row[name]:.4g}" for name in names)


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
