from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from s2igan.engine.arrays import ArrayWriter, Ragged, RaggedWriter, open_array, write_array
from s2igan.errors import UserError


def test_rows_come_back_as_they_were_appended(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float16)
    with ArrayWriter(tmp_path / "a.npy", np.float16, (3,)) as writer:
        writer.append(rows[:5])
        writer.append(rows[5:])
    read = open_array(tmp_path / "a.npy")
    assert isinstance(read, np.memmap)
    assert not read.flags.writeable
    np.testing.assert_array_equal(read, rows)


def test_bytes_do_not_depend_on_how_rows_were_cut(tmp_path: Path) -> None:
    rows = np.arange(1000, dtype=np.int64)
    write_array(tmp_path / "whole.npy", rows)
    with ArrayWriter(tmp_path / "parts.npy", np.int64) as writer:
        for row in rows:
            writer.append([row])
    assert (tmp_path / "whole.npy").read_bytes() == (tmp_path / "parts.npy").read_bytes()


def test_rows_are_placed_in_any_order_and_are_zero_where_none_was(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    with ArrayWriter(tmp_path / "placed.npy", np.float32, (3,)) as writer:
        writer.place(np.array([4, 0, 1]), rows[[4, 0, 1]])
        writer.place(np.array([], np.int64), rows[:0])
        writer.place(np.array([2]), rows[[2]])
        writer.append(rows[5:])
    rows[3] = 0
    write_array(tmp_path / "whole.npy", rows)
    assert (tmp_path / "placed.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_where_rows_are_placed() -> None:
    with (
        pytest.raises(OSError, match="No space left on device"),
        ArrayWriter(Path("/dev/full"), np.float32, (4096,)) as writer,
    ):
        writer.place(np.array([7]), np.ones((1, 4096), np.float32))


def test_rows_of_another_shape_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"shape \(4,\), expected \(3,\)"),
        ArrayWriter(tmp_path / "a.npy", np.float32, (3,)) as writer,
    ):
        writer.append(np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [
        ([0.2, 0.9], np.uint8),
        ([np.nan, 1.0], np.uint8),
        ([3, 256], np.uint8),
        ([-1, 255], np.uint8),
        (np.array([2**31]), np.int32),
        (np.array([2**63], np.uint64), np.int64),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_numbers_that_are_none_of_the_file_are_refused(
    tmp_path: Path, rows: Any, dtype: Any
) -> None:
    refused = f"^rows of {np.asarray(rows).dtype} hold values that {np.dtype(dtype)} has not$"
    with ArrayWriter(tmp_path / "a.npy", dtype) as writer:
        with pytest.raises(ValueError, match=refused):
            writer.append(rows)
        with pytest.raises(ValueError, match=refused):
            writer.place(np.arange(len(rows)), rows)
        limits = [np.iinfo(dtype).min, 0, np.iinfo(dtype).max]
        writer.append(limits)
        writer.append(np.array([], np.uint64))
    assert open_array(tmp_path / "a.npy").tolist() == limits


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (np.ones((9, 4, 1), np.float32), r"an array \(9, 4, 1\), not one of 2 axes"),
        (np.ones((9, 4), np.float64), "values of float64, not of float32"),
    ],
)
def test_an_array_of_another_kind_is_refused(
    tmp_path: Path, values: npt.NDArray[Any], got: str
) -> None:
    write_array(tmp_path / "a.npy", values)
    with pytest.raises(UserError, match=f"got {got}"):
        open_array(tmp_path / "a.npy", ndim=2, dtype=np.float32)


def test_ragged_items_keep_their_lengths_empty_ones_too(tmp_path: Path) -> None:
    items = [b"red", b"", b"blue bird"]
    with RaggedWriter(tmp_path, "text", np.uint8) as writer:
        for item in items:
            writer.append(item)
    ragged = Ragged(tmp_path, "text")
    assert [bytes(ragged[i]) for i in range(len(ragged))] == items
    assert ragged.lengths.tolist() == [3, 0, 9]
    assert ragged.lengths is ragged.lengths  # of ten million, each time takes 10 ms
    with pytest.raises(IndexError, match="item 3 of 3"):
        ragged[3]


def test_an_empty_array_can_be_read(tmp_path: Path) -> None:
    write_array(tmp_path / "none.npy", np.zeros((0, 40), np.float16))
    assert open_array(tmp_path / "none.npy").shape == (0, 40)


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `dvc repro`"):
        open_array(tmp_path / "absent.npy")


@pytest.mark.parametrize("kept", [0, 8, 100, -1])
def test_a_torn_file_is_told_in_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.npy"
    write_array(path, np.ones((9, 4), np.float32))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"^packed array '.*torn.npy'; got .*; run `dvc repro`$"):
        open_array(path)


@pytest.mark.parametrize("letter", [b"{", b"}", b"(", b"'", b"<"])
def test_a_header_that_is_no_python_is_told_in_one_line(tmp_path: Path, letter: bytes) -> None:
    path = tmp_path / "spoilt.npy"
    write_array(path, np.ones((9, 4), np.float32))
    path.write_bytes(path.read_bytes().replace(letter, b"#", 1))
    with pytest.raises(UserError, match=r"^packed array '.*spoilt.npy'; got .*; run `dvc repro`$"):
        open_array(path)


def test_a_header_that_says_fewer_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "longer.npy"
    write_array(path, np.ones((9, 4), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(9, 4)", b"(8, 4)"))
    with pytest.raises(UserError, match=r"got 144 bytes for \(8, 4\) values of float32"):
        open_array(path)


@pytest.mark.parametrize("offsets", [[0, 3, 8], [0, 3, 10], [1, 3, 9], [0, 10, 9], []])
def test_offsets_of_other_values_are_refused(tmp_path: Path, offsets: list[int]) -> None:
    write_array(tmp_path / "text.npy", np.zeros(9, np.uint8))
    write_array(tmp_path / "text.offsets.npy", np.array(offsets, np.int64))
    with pytest.raises(UserError, match="got offsets that are not those of its values"):
        Ragged(tmp_path, "text")
