"""``index.csv`` of a recorded corpus: who describes which picture, line by line.

One row per recording. ``docs/your-own-corpus.md`` shows what a person writes; everything that is
wrong with it is noted with its line, so that it can be mended in one go.
"""

import csv
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from s2igan.corpora.defects import Defects
from s2igan.errors import UserError

COLUMNS = ("image", "recording", "class", "split", "text", "box")
"""Columns that an index may have; ``image`` and one of ``recording`` and ``text`` are needed."""

SPLITS = ("train", "val", "test")

_DRIVE = re.compile(r"^[A-Za-z]:")  # C:/pictures is a place of one machine
_LONGEST_SHOWN = 80

Box = tuple[float, float, float, float]
Row = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Description:
    """One description of a picture: spoken, written, or both.

    Attributes:
        recording: path inside the folder, or None.
        text: what is said, or None.
        line: where it stands, from 1.
    """

    recording: str | None
    text: str | None
    line: int

    def repeats(self, other: "Description") -> bool:
        """Whether both are one: by the recording if there is any, else by the text."""
        if self.recording or other.recording:
            return self.recording == other.recording
        return self.text == other.text


@dataclass(slots=True)
class ListedPicture:
    """A picture with all that its rows say of it.

    Attributes:
        image: path inside the folder.
        line: where it was first named, from 1.
        class_name: None where the index has no classes.
        split: None where the index names no splits.
        box: x, y, width and height in px, or None.
        descriptions: in the order of their rows.
    """

    image: str
    line: int
    class_name: str | None
    split: str | None
    box: Box | None
    descriptions: list[Description] = field(default_factory=list)


def read_index(path: Path, defects: Defects) -> list[ListedPicture]:
    """Read the pictures of an index in the order in which they are first named.

    Args:
        path: ``index.csv``: UTF-8 with or without byte order mark, commas or semicolons.
        defects: receives every row that is wrong.

    Raises:
        UserError: if the file is not UTF-8 or no CSV, or its columns are not :data:`COLUMNS`.
    """
    pictures: dict[str, ListedPicture] = {}
    doubtful: set[str] = set()  # classes that a wrong row may be of; "" = any
    for line, row in _rows(path, defects):
        picture = _read_row(line, row, defects) if row else None
        if picture is None:
            doubtful.add(_one_spelling(row.get("class", "")))
            continue
        known = pictures.setdefault(picture.image, picture)
        if known.class_name != picture.class_name:
            doubtful |= {known.class_name or "", picture.class_name or ""}
        _join(known, picture, defects)
    listed = [*pictures.values()]
    if not listed and not doubtful:
        defects.add("no row names a picture")
    _check_all_or_none("class", [(p.line, p.class_name) for p in listed], defects)
    _check_all_or_none("split", [(p.line, p.split) for p in listed], defects)
    _check_classes(listed, doubtful, defects)
    return listed


def _rows(path: Path, defects: Defects) -> Iterator[tuple[int, Row]]:
    """Yield the rows that are not blank, each with the number of the line it ends on.

    One with more or fewer cells than columns is empty, since nobody knows which cell is which.
    """
    lines = _opened(path)
    # Spreadsheets write semicolons where the decimal mark is a comma. The header tells which, since
    # no column is named with either.
    delimiter = ";" if ";" in lines.readline() else ","
    lines.seek(0)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = _columns(path, next(reader, []))
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if not any(values):
                continue
            if len(values) < len(columns) or any(values[len(columns) :]):
                defects.add(f"line {reader.line_num}: {len(cells)} cells instead of {len(columns)}")
                values = []
            yield reader.line_num, dict(zip(columns, values, strict=False))
    except csv.Error as error:
        raise UserError(
            f"index {str(path)!r}, line {reader.line_num}",
            got=str(error),
            expected="values separated by commas or semicolons, each quote closed",
        ) from error


def _opened(path: Path) -> io.TextIOWrapper:
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"index {str(path)!r}, line {line}",
            got=f"the byte 0x{data[error.start]:02x}",
            expected="UTF-8",
            fix="save it again as `CSV UTF-8`",
        ) from error
    # Read as bytes: a StringIO takes four of memory for each character.
    return io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")


def _columns(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:  # a spreadsheet's empty columns
        names.pop()
    says_something = "image" in names and ("recording" in names or "text" in names)
    if not says_something or set(names) - set(COLUMNS) or len(set(names)) < len(names):
        raise UserError(
            f"columns of {str(path)!r}",
            got=", ".join(names) or "none",
            expected="image and recording, and any of class, split, text, box; each once, commas "
            "or semicolons between them",
        )
    return names


def _read_row(line: int, row: Row, defects: Defects) -> ListedPicture | None:
    """Return what one row says of its picture, or None after noting all that is wrong."""
    wrong: list[str] = []

    def read(column: str, parse: Callable[[str], T]) -> T | None:
        value = row.get(column)
        try:
            if value and "\0" in value:
                raise ValueError("with a NUL character, as damaged files have")
            return parse(value) if value else None
        except ValueError as error:
            wrong.append(f"{column} {shown(value)} {error}")
            return None

    image, recording = read("image", _inner_path), read("recording", _inner_path)
    class_name, text = read("class", _one_spelling), read("text", _text)
    split, box = read("split", _split), read("box", _box)
    if not row["image"]:
        wrong.append("no image")
    if not row.get("recording") and not row.get("text"):
        wrong.append("neither recording nor text" if "text" in row else "no recording")
    for problem in wrong:
        defects.add(f"line {line}: {problem}")
    if wrong or image is None:
        return None
    said = [Description(recording, text, line)]
    return ListedPicture(image, line, class_name, split, box, said)


def _join(known: ListedPicture, again: ListedPicture, defects: Defects) -> None:
    """Add a further row's description to its picture; what both say of it must agree."""
    if again is known:
        return
    for name, before, now in (
        ("class", known.class_name, again.class_name),
        ("split", known.split, again.split),
        ("box", known.box, again.box),
    ):
        if before != now:
            defects.add(
                f"line {again.line}: {again.image} has {name} {shown(now)}, "
                f"but {shown(before)} on line {known.line}"
            )
    if any(map(again.descriptions[0].repeats, known.descriptions)):
        defects.add(f"line {again.line}: the same description of {again.image} a second time")
    known.descriptions += again.descriptions


def _check_all_or_none(column: str, values: list[tuple[int, str | None]], defects: Defects) -> None:
    without = [line for line, value in values if value is None]
    if without and len(without) < len(values):
        more = f" and {len(without) - 1} more pictures" if len(without) > 1 else ""
        defects.add(f"line {without[0]}{more}: no {column}, though other pictures have one")


def _check_classes(
    pictures: Sequence[ListedPicture], doubtful: Container[str], defects: Defects
) -> None:
    """Note classes of two splits and of one picture, but for what follows from another defect."""
    first: dict[str, ListedPicture] = {}
    for picture in pictures:
        if picture.class_name is None:
            continue
        known = first.setdefault(picture.class_name, picture)
        if picture.split and known.split and picture.split != known.split:
            defects.add(
                f"line {picture.line}: class {picture.class_name!r} in the split {picture.split}, "
                f"but in {known.split} on line {known.line}"
            )
    sizes = Counter(picture.class_name for picture in pictures)
    all_known = not sizes[None] and "" not in doubtful
    for name, picture in first.items():
        if sizes[name] == 1 and all_known and name not in doubtful:
            defects.add(
                f"line {picture.line}: class {name!r} has 1 picture; at least 2 make a class"
            )


def _one_spelling(value: str) -> str:
    # Some systems store é as one character and others as two; a name is the same in both.
    return unicodedata.normalize("NFC", value)


def _inner_path(value: str) -> str:
    path = PurePosixPath(_one_spelling(value).replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(value) or not path.parts:
        raise ValueError("is no path inside the folder")
    return str(path)


def _text(value: str) -> str:
    if not any(map(str.isalnum, value)):
        raise ValueError("has no words")
    return value


def _split(value: str) -> str:
    if value not in SPLITS:
        raise ValueError(f"is none of {', '.join(SPLITS)}")
    return value


def _box(value: str) -> Box:
    try:
        x, y, width, height = (float(part) for part in value.split())
    except ValueError:
        raise ValueError("is not `x y width height`") from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise ValueError("has no area")
    return x, y, width, height


def shown(value: object) -> str:
    """Quote what a cell says, a long one in part."""
    if isinstance(value, tuple):
        return "'" + " ".join(f"{part:g}" for part in value) + "'"
    if value is None:
        return "none"
    return repr(shortened(str(value)))


def shortened(text: str) -> str:
    """Return a text, or the beginning of a long one."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
