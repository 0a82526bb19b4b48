"""Packed pictures that live on a GPU, so that a training's crops are cut where they are looked at.

The random numbers are drawn on the host, from the same streams as for pictures on disk: the crops
are the same.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.device import sent
from s2igan.vision.pixels import PackedPixels, Windows

SHARE = 0.4  # of the free memory of a GPU that pictures may take
_CHUNK = 256 * 2**20  # bytes on their way at once


class DevicePixels:
    """Packed pictures in the memory of a device."""

    def __init__(self, packed: PackedPixels, device: torch.device) -> None:
        self.packed, self.device = packed, device
        self._values = torch.empty(packed.values.shape, dtype=torch.uint8, device=device)
        for start in range(0, len(self._values), _CHUNK):
            part = np.array(packed.values[start : start + _CHUNK])
            self._values[start : start + _CHUNK] = torch.from_numpy(part).to(device)
        self._pixels = self._values.view(-1, 3)
        self._starts = torch.from_numpy(packed.starts // 3).to(device)
        self._widths = torch.from_numpy(packed.shapes[:, 1].astype(np.int64)).to(device)

    def crops(
        self,
        indices: Sequence[int] | npt.NDArray[np.integer],
        size: int,
        rng: np.random.Generator | None,
        rows: slice = slice(None),
    ) -> "Crops":
        """Draw where squares are to be cut, as :meth:`PackedPixels.crops` does; cut none yet."""
        return Crops(self, self.packed.windows(indices, size, rng, rows), size)

    def cut(self, windows: Windows, size: int) -> Tensor:
        """Cut ``(n, size, size, 3)`` uint8 squares, on the device."""
        chosen, corners, flips = (sent(values, self.device) for values in windows)
        places = torch.arange(size, device=self.device)
        columns = torch.where(flips[:, None], size - 1 - places, places)  # (n, size)
        rows = corners[:, :1] + places  # (n, size)
        columns = corners[:, 1:] + columns
        first = self._starts[chosen, None] + rows * self._widths[chosen, None]  # (n, size)
        return self._pixels[first[:, :, None] + columns[:, None, :]]


@dataclass(frozen=True)
class Crops:
    """Squares that are cut once they are needed.

    Attributes:
        pixels: what they are cut out of.
        windows: where.
        size: their side, px.
    """

    pixels: DevicePixels
    windows: Windows
    size: int

    def cut(self) -> Tensor:
        """Cut them: ``(n, size, size, 3)`` uint8 on the device."""
        return self.pixels.cut(self.windows, self.size)


def open_pixels(features: Path, device: torch.device) -> PackedPixels | DevicePixels:
    """Open packed pictures, in the memory of a GPU where they fit.

    Raises:
        UserError: if a file is missing.
    """
    packed = PackedPixels(features)
    if device.type != "cuda":
        return packed
    free, _ = torch.cuda.mem_get_info(device)
    if packed.values.nbytes > SHARE * free:
        wanted, there = packed.values.nbytes / 2**30, free / 2**30
        sys.stderr.write(f"pictures stay on the host: {wanted:.1f} GiB, {there:.1f} GiB free\n")
        return packed
    return DevicePixels(packed, device)
