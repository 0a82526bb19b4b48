"""Everything wrong with a corpus, gathered so that it can be told at once."""

import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator

from PIL import Image, UnidentifiedImageError

from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError

_DRAFT = (32, 32)  # the smallest scale of a JPEG decodes several times faster and reads every byte


class Defects:
    """Defects of one corpus, in the order in which they were found.

    Args:
        corpus: how the error names the corpus.
        fix: what the reader can do about them.
    """

    def __init__(self, corpus: str, fix: str) -> None:
        self.corpus = corpus
        self.fix = fix
        self.found: list[str] = []

    def add(self, defect: str) -> None:
        """Note one defect."""
        self.found.append(defect)

    def raise_any(self) -> None:
        """Tell all defects in one line.

        Raises:
            UserError: if there is any.
        """
        if self.found:
            number = f"{len(self.found)} defect{'s' if len(self.found) > 1 else ''}"
            raise UserError(f"{self.corpus}: {number}", got="; ".join(self.found), fix=self.fix)


def picture_defect(picture: tuple[str, bytes]) -> str | None:
    """Say why a picture file does not decode, or None.

    Args:
        picture: name and content of the file.
    """
    name, data = picture
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft(None, _DRAFT)
            image.load()
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
        zlib.error,
    ) as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else error
        return f"{name}: {len(data)} bytes that do not decode ({reason})"
    return None


def decodable(
    pictures: Iterable[tuple[str, bytes]], defects: Defects, workers: int
) -> Iterator[bytes]:
    """Pass picture files on, noting those that do not decode.

    Args:
        pictures: name and content of each file.
        defects: where to note them.
        workers: processes that decode; no influence on the result.
    """
    waiting: deque[bytes] = deque()

    def handed_over() -> Iterator[tuple[str, bytes]]:
        for name, data in pictures:
            waiting.append(data)
            yield name, data

    for defect in parallel_map(picture_defect, handed_over(), workers):
        if defect is not None:
            defects.add(defect)
        yield waiting.popleft()
