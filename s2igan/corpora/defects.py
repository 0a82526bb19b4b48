"""Everything wrong with a corpus, gathered so that it can be told at once."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

from s2igan.engine.pictures import PictureError, picture_size
from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError


class Defects:
    """Defects of one corpus, in the order in which they were found.

    A defect of one picture can be mended by leaving the picture out; a defect of the corpus as a
    whole cannot.

    Args:
        corpus: how the error names the corpus.
        fix: what the reader can do about them.
        on_broken: what a defect of one picture does: ``stop`` tells it with all others, ``skip``
            leaves the picture out.
    """

    def __init__(
        self, corpus: str, fix: str, *, on_broken: Literal["stop", "skip"] = "stop"
    ) -> None:
        self.corpus = corpus
        self.fix = fix
        self.on_broken = on_broken
        self.found: list[str] = []
        self.broken: dict[str, list[str]] = {}

    def add(self, defect: str) -> None:
        """Note one defect of the corpus as a whole."""
        self.found.append(defect)

    def add_picture(self, picture: str, problem: str) -> None:
        """Note what is wrong with one picture or what belongs to it, whether or not it stops."""
        self.broken.setdefault(picture, []).append(problem)
        if self.on_broken == "stop":
            self.found.append(f"{picture}: {problem}")

    @property
    def skipped(self) -> dict[str, str]:
        """Why each picture is left out, by its name; empty where a defect stops."""
        if self.on_broken == "stop":
            return {}
        return {picture: "; ".join(self.broken[picture]) for picture in sorted(self.broken)}

    def raise_any(self) -> None:
        """Tell in one line all defects that stop, and what is left out besides, which may be why.

        Raises:
            UserError: if there is any.
        """
        if self.found:
            number = f"{len(self.found)} defect{'s' if len(self.found) > 1 else ''}"
            left_out = [f"left out: {name}: {problem}" for name, problem in self.skipped.items()]
            told = "; ".join([*self.found, *left_out])
            raise UserError(f"{self.corpus}: {number}", got=told, fix=self.fix)


def picture_problem(data: bytes) -> str | None:
    """Say why a picture file does not decode, or None."""
    try:
        picture_size(data)
    except PictureError as error:
        return str(error)
    return None


def checked(
    pictures: Iterable[tuple[str, bytes]], workers: int
) -> Iterator[tuple[str, bytes, str | None]]:
    """Decode every picture file and pass it on with what is wrong with it, or None.

    Args:
        pictures: name and content of each file; a few are held at a time.
        workers: processes that decode; no influence on the result.
    """
    waiting: deque[tuple[str, bytes]] = deque()

    def contents() -> Iterator[bytes]:
        for name, data in pictures:
            waiting.append((name, data))
            yield data

    for problem in parallel_map(picture_problem, contents(), workers):
        yield (*waiting.popleft(), problem)
