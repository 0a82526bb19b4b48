"""Pictures on disk, taken in whatever order the archives hold them and given back by name."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from s2igan.corpora.defects import Defects
from s2igan.engine.pictures import PictureError, picture_size
from s2igan.engine.workers import parallel_map


class Spool:
    """Files in one file by name; what they take in memory does not grow with their size.

    Args:
        file: an empty file, open for writing and reading.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self.size = 0

    def put(self, name: str, data: bytes) -> None:
        """Append one file."""
        self._file.seek(self.size)
        self._file.write(data)
        self._places[name] = (self.size, len(data))
        self.size += len(data)

    def __getitem__(self, name: str) -> bytes:
        """Return one file."""
        start, length = self._places[name]
        self._file.seek(start)
        return self._file.read(length)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


@contextmanager
def open_spool(folder: Path) -> Iterator[Spool]:
    """Yield an empty spool on the disk of ``folder``, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without a name the file is gone with this process, however that ends.
    with TemporaryFile(dir=folder) as file:
        yield Spool(file)


def spool_pictures(
    pictures: Iterable[tuple[str, bytes]], spool: Spool, defects: Defects, workers: int
) -> None:
    """Put files, by name and content, into the spool; note what does not decode or comes twice."""
    waiting: deque[tuple[str, bytes]] = deque()  # a few, which are being decoded

    def contents() -> Iterator[bytes]:
        for picture in pictures:
            waiting.append(picture)
            yield picture[1]

    for problem in parallel_map(picture_problem, contents(), workers):
        name, data = waiting.popleft()
        if name in spool:
            defects.add_picture(name, "in the archives twice")
            continue
        if problem is not None:
            defects.add_picture(name, problem)
        spool.put(name, data)


def picture_problem(data: bytes) -> str | None:
    """Say why a picture file does not decode, or None."""
    try:
        picture_size(data)
    except PictureError as error:
        return str(error)
    return None
