"""Packed arrays on disk: written in a stream, read through memory maps, same content same bytes."""

import math
import os
from array import array
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from s2igan.errors import unreadable_output

Array = npt.NDArray[Any]

# What NumPy raises, besides, of a header that it cannot read as Python.
_NO_HEADER = (SyntaxError, TypeError, TokenError)


class ArrayWriter:
    """Append rows to one ``.npy`` file without knowing their number beforehand.

    The file is whole and on the disk at the end of the ``with`` block.

    Args:
        path: file to write, replaced if it exists.
        dtype: dtype of the rows.
        row_shape: shape of one row; the file holds ``(rows, *row_shape)``.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, row_shape: Sequence[int] = ()) -> None:
        self.dtype = np.dtype(dtype)
        self.row_shape = tuple(row_shape)
        self.rows = 0
        self._file = path.open("wb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: npt.ArrayLike) -> None:
        """Append ``rows`` of shape ``(n, *row_shape)``.

        Raises:
            ValueError: if the rows have another shape, or hold what is none of the integers of the
                file: the pixels of a picture in [0, 1] would all be 0.
        """
        block = self._checked(rows)
        self._file.write(block.data.cast("B") if block.size else b"")
        self.rows += len(block)

    def place(self, positions: npt.NDArray[np.integer], rows: npt.ArrayLike) -> None:
        """Write ``(n, *row_shape)`` rows at ``(n,)`` positions; rows left out are zero.

        Raises:
            ValueError: as :meth:`append`.
        """
        write_placed(self._file, positions, self._checked(rows), start=self._start)
        self.rows = max(self.rows, int(positions.max(initial=-1)) + 1)
        self._file.seek(0, os.SEEK_END)

    def _checked(self, rows: npt.ArrayLike) -> Array:
        given = np.asarray(rows)
        block = np.asarray(given, self.dtype, order="C")
        if block.shape[1:] != self.row_shape:
            raise ValueError(f"rows have shape {block.shape[1:]}, expected {self.row_shape}")
        if self.dtype.kind in "iu" and not (block is given or np.array_equal(block, given)):
            raise ValueError(f"rows of {given.dtype} hold values that {self.dtype} has not")
        return block

    def _write_header(self) -> None:
        # NumPy pads the header for a growing first axis, so both headers have one length.
        npy_format.write_array_header_1_0(
            self._file,
            {
                "shape": (self.rows, *self.row_shape),
                "fortran_order": False,
                "descr": npy_format.dtype_to_descr(self.dtype),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write_header()
                self._file.flush()
                os.fsync(self._file.fileno())


def write_placed(
    file: IO[bytes], positions: npt.NDArray[np.integer], rows: Array, *, start: int = 0
) -> None:
    """Write rows at their places in a file, which has holes where none was written.

    Where the disk is full a write says so. A map of such a file would end the process by SIGBUS.

    Args:
        file: open for writing.
        positions: ``(n,)`` which rows of the file.
        rows: ``(n, ...)``, contiguous.
        start: byte of the file at which row 0 begins.
    """
    for position, row in zip(positions.tolist(), rows, strict=True):
        file.seek(start + position * row.nbytes)
        file.write(row.data)


def write_array(path: Path, array: npt.ArrayLike) -> None:
    """Write one whole array as ``.npy``; same values, same bytes."""
    block = np.asarray(array)
    with ArrayWriter(path, block.dtype, block.shape[1:]) as writer:
        writer.append(block)


def open_array(
    path: Path,
    *,
    ndim: int | None = None,
    dtype: npt.DTypeLike | None = None,
) -> Array:
    """Open an ``.npy`` file read-only through a memory map.

    Args:
        path: the file.
        ndim: axes that it has; None takes any number.
        dtype: of its values; None takes any.

    Raises:
        UserError: if the file is missing, damaged, or longer or shorter than its header says, or
            has other axes or values of another kind.
    """
    what = f"packed array {str(path)!r}"
    if not path.is_file():
        raise unreadable_output(what, "no such file")
    try:
        with path.open("rb") as file:
            npy_format.read_magic(file)
            shape, _, found = npy_format.read_array_header_1_0(file)
            rest = path.stat().st_size - file.tell()
        if not shape or rest != math.prod(shape) * found.itemsize:
            raise ValueError(f"{rest} bytes for {shape} values of {found}")
        if ndim not in (None, len(shape)):
            raise ValueError(f"an array {shape}, not one of {ndim} axes")
        if dtype is not None and found != dtype:
            raise ValueError(f"values of {found}, not of {np.dtype(dtype)}")
        # An empty file part cannot be memory-mapped.
        array = np.load(path, mmap_mode="r" if rest else None, allow_pickle=False)
    except (OSError, ValueError, *_NO_HEADER) as error:
        raise unreadable_output(what, error) from error
    assert isinstance(array, np.ndarray)
    return array


class RaggedWriter:
    """Append arrays of different length to ``<name>.npy`` and ``<name>.offsets.npy``.

    Args:
        folder: where the two files go.
        name: their stem.
        dtype: dtype of the values.
        row_shape: shape of one step of an item; ``()`` for bytes, ``(40,)`` for log-mel frames.
    """

    def __init__(
        self, folder: Path, name: str, dtype: npt.DTypeLike, row_shape: Sequence[int] = ()
    ) -> None:
        self._values = ArrayWriter(folder / f"{name}.npy", dtype, row_shape)
        self._offsets_path = folder / f"{name}.offsets.npy"
        self._offsets = array("q", [0])  # 8 bytes an item, where a list takes 40

    def append(self, item: npt.ArrayLike | bytes) -> None:
        """Append one item of shape ``(length, *row_shape)``, or ``bytes``."""
        block = np.frombuffer(item, np.uint8) if isinstance(item, bytes) else np.asarray(item)
        self._values.append(block)
        self._offsets.append(self._values.rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._values.__exit__(kind)
        if kind is None:
            write_array(self._offsets_path, np.asarray(self._offsets, np.int64))


class Ragged:
    """Items of different length, memory-mapped; ``ragged[i]`` is a read-only view.

    Args:
        folder: where :class:`RaggedWriter` wrote.
        name: the stem of the files.

    Raises:
        UserError: if a file is missing or damaged, or they do not fit each other.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.values = open_array(folder / f"{name}.npy")
        offsets = open_array(folder / f"{name}.offsets.npy", ndim=1, dtype=np.int64)
        self.offsets: npt.NDArray[np.int64] = np.asarray(offsets)
        ends = [*self.offsets[:1], *self.offsets[-1:]]
        if ends != [0, len(self.values)] or (self.lengths < 0).any():
            raise unreadable_output(
                f"packed array {str(folder / name)!r}", "offsets that are not those of its values"
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Array:
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @cached_property  # asked for at every step of a training
    def lengths(self) -> npt.NDArray[np.int64]:
        """Length of every item, ``(items,)`` int64."""
        return np.diff(self.offsets)
