"""Packed pictures and the square crops that a GAN trains on.

On disk: ``pixels.npy`` and ``pixels.offsets.npy``, uint8, every picture flattened from HWC, and
``shapes.npy``, ``(pictures, 2)`` int32, their heights and widths.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from s2igan.engine.arrays import Ragged, RaggedWriter, open_array, write_array
from s2igan.engine.pictures import Picture
from s2igan.errors import UserError, unreadable_output


class PixelWriter:
    """Append pictures to an existing features folder one by one."""

    def __init__(self, folder: Path) -> None:
        self._shapes_path = folder / "shapes.npy"
        self._shapes: list[tuple[int, int]] = []
        self._values = RaggedWriter(folder, "pixels", np.uint8)

    def append(self, picture: Picture) -> None:
        """Append one ``(H, W, 3)`` uint8 picture."""
        self._values.append(picture.reshape(-1))
        self._shapes.append((picture.shape[0], picture.shape[1]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._values.__exit__(kind)
        if kind is None:
            write_array(self._shapes_path, np.asarray(self._shapes, np.int32).reshape(-1, 2))


class Windows(NamedTuple):
    """Where squares are cut out of packed pictures, n of them."""

    chosen: npt.NDArray[np.int64]  # (n,) which pictures
    corners: npt.NDArray[np.integer]  # (n, 2) top and left, px
    flips: npt.NDArray[np.bool_]  # (n,) whether left and right change places


class PackedPixels:
    """Read the packed pictures of a features folder through a memory map.

    Attributes:
        values: every picture flattened from HWC, one after the other.
        shapes: ``(pictures, 2)``, their heights and widths, px.

    Raises:
        UserError: if a file is missing or damaged, or they do not fit each other.
    """

    def __init__(self, features: Path) -> None:
        packed = Ragged(features, "pixels")
        # A plain ndarray over the map: slicing an np.memmap costs microseconds per picture.
        self.values: npt.NDArray[np.uint8] = np.asarray(packed.values)
        self._starts = packed.offsets.tolist()
        self.shapes: npt.NDArray[np.integer] = np.asarray(open_array(features / "shapes.npy"))
        if not _fit(packed, self.shapes):
            raise unreadable_output(
                f"packed pictures in {str(features)!r}",
                "shapes.npy that does not tell their heights and widths",
                "features",
            )
        self._sizes = self.shapes.tolist()

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> Picture:
        """Return picture ``index``, ``(h, w, 3)`` uint8, a read-only view."""
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        height, width = self._sizes[index]
        start = self._starts[index]
        return self.values[start : start + height * width * 3].reshape(height, width, 3)

    def crops(
        self,
        indices: Sequence[int] | npt.NDArray[np.integer],
        size: int,
        rng: np.random.Generator | None,
        rows: slice = slice(None),
    ) -> Picture:
        """Cut one square out of each picture, or out of each of some.

        Args:
            indices: which pictures, ``(n,)``.
            size: side of the squares, pixels; at most the shorter side of the packed pictures.
            rng: draws where the squares lie and which are flipped; None takes the centre unflipped.
            rows: which of the pictures to cut; squares are drawn for all of them.

        Returns:
            ``(n, size, size, 3)`` uint8.

        Raises:
            UserError: if a packed picture is smaller than ``size``.
            ValueError: if ``indices`` are no integers: a mask would be taken for pictures 0 and 1.
        """
        windows = self.windows(indices, size, rng, rows)
        batch = np.empty((len(windows.chosen), size, size, 3), np.uint8)
        places = zip(*(values.tolist() for values in windows), batch, strict=True)
        for index, (top, left), flip, square in places:
            window = self[index][top : top + size, left : left + size]
            square[:] = window[:, ::-1] if flip else window
        return batch

    def windows(
        self,
        indices: Sequence[int] | npt.NDArray[np.integer],
        size: int,
        rng: np.random.Generator | None,
        rows: slice = slice(None),
    ) -> Windows:
        """Draw where :meth:`crops` cuts, from the same random numbers; see there."""
        given = np.asarray(indices)
        if given.size and given.dtype.kind not in "iu":
            raise ValueError(f"indices are {given.dtype}, expected row numbers")
        chosen = given.astype(np.int64)
        leeway = self.shapes[chosen] - size  # (n, 2)
        if chosen.size and leeway.min() < 0:
            raise UserError(
                "crop of the packed pictures",
                got=f"{size} px",
                expected=f"at most {int(leeway.min()) + size} px, their shorter side",
                fix="raise features.shorter_side or lower the crop",
            )
        if rng is None:
            corners, flips = leeway // 2, np.zeros(len(chosen), np.bool_)
        else:
            corners = rng.integers(0, leeway, endpoint=True)
            flips = rng.random(len(chosen)) < 0.5
        return Windows(chosen[rows], corners[rows], flips[rows])

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each picture begins in :attr:`values`, ``(pictures,)``."""
        return np.asarray(self._starts[: len(self)], np.int64)


def _fit(packed: Ragged, shapes: npt.NDArray[np.generic]) -> bool:
    if shapes.dtype.kind != "i" or shapes.ndim != 2 or packed.values.dtype != np.uint8:
        return False
    return np.array_equal(3 * shapes.prod(axis=1, dtype=np.int64), packed.lengths)
