"""Whether the files of a recorded corpus are there and hold what they should."""

import errno
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from s2igan.corpora.defects import Defects
from s2igan.corpora.recorded_csv import Box, ListedPicture, shown
from s2igan.engine.pictures import PictureError, picture_size
from s2igan.engine.progress import bar
from s2igan.engine.sound import sound_problem
from s2igan.engine.workers import parallel_map


def find_file(folder: Path, name: str) -> Path | None:
    """Find a file by its name inside ``folder``, however its letters are composed there.

    Some systems store ``é`` as one character and others as two; index and folder may come from
    different ones. ``name`` has Unicode's composed form.
    """
    path: Path | None = folder
    for part in PurePosixPath(name).parts:
        path = None if path is None else _child(path, part)
    return path if path is not None and path.is_file() else None


def _child(folder: Path, name: str) -> Path | None:
    forms = (name, unicodedata.normalize("NFD", name))
    if usual := next((path for form in forms if _exists(path := folder / form)), None):
        return usual
    if name.isascii() or not folder.is_dir():
        return None
    return _composed(folder, folder.stat().st_mtime_ns).get(name)


@lru_cache(maxsize=64)
def _composed(folder: Path, _changed_ns: int) -> Mapping[str, Path]:
    """Return what lies in a folder by the composed forms of the names."""
    return {unicodedata.normalize("NFC", path.name): path for path in folder.iterdir()}


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # a whole sentence in place of a name
            return False
        raise


def check_pictures(
    found: Mapping[str, Path], pictures: Sequence[ListedPicture], defects: Defects, workers: int
) -> None:
    """Decode the pictures found, noting those that do not decode and boxes that lie elsewhere."""
    there = [picture for picture in pictures if picture.image in found]
    paths = [found[picture.image] for picture in there]
    told = parallel_map(_look, bar(paths, "recorded pictures"), workers)
    for picture, seen in zip(there, told, strict=True):
        if isinstance(seen, str):
            defects.add_picture(picture.image, f"{seen} (line {picture.line})")
        elif picture.box is not None and _lies_elsewhere(picture.box, *seen):
            defects.add(
                f"line {picture.line}: box {shown(picture.box)} has its centre outside of "
                f"{picture.image}, {seen[0]} × {seen[1]} pixels as it is shown"
            )


def check_recordings(
    found: Mapping[str, Path], lines: Mapping[str, int], defects: Defects, workers: int
) -> None:
    """Decode the recordings found block by block, noting those that nothing can be heard in.

    ``lines`` are those that name them.
    """
    there = [name for name in lines if name in found]
    told = parallel_map(_listen, bar([found[name] for name in there], "recordings"), workers)
    for name, problem in zip(there, told, strict=True):
        if problem is not None:
            defects.add_picture(name, f"{problem} (line {lines[name]})")


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises:
        OSError: with the file's name, which those of the reading itself lack.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        error.filename = str(path)
        raise


def _listen(path: Path) -> str | None:
    return sound_problem(read_file(path))


def _look(path: Path) -> tuple[int, int] | str:
    """Return width and height of a picture as it is shown, or why there is none."""
    try:
        return picture_size(read_file(path), upright=True)
    except PictureError as error:
        return str(error)


def _lies_elsewhere(box: Box, width: int, height: int) -> bool:
    left, top, box_width, box_height = box
    across, down = left + box_width / 2, top + box_height / 2
    return not (0 <= across < width and 0 <= down < height)
