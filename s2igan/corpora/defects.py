"""Everything wrong with a corpus, gathered so that it can be told at once."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from s2igan.engine.folders import write_whole
from s2igan.engine.runtime import state_folder
from s2igan.errors import UserError

_SHOWN, _OF_A_KIND, _LETTERS = 20, 3, 3000


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
        """Tell all defects that stop in one line, and what is left out besides, which may be why.

        Of more than a terminal holds it tells some; all stand in ``.s2igan/defects.txt``.

        Raises:
            UserError: if there is any.
        """
        if self.found:
            number = f"{len(self.found)} defect{'s' if len(self.found) > 1 else ''}"
            left_out = [f"left out: {name}: {problem}" for name, problem in self.skipped.items()]
            told = [*self.found, *left_out]
            if not _fits(told):
                number += f", {_list(told)}"
            raise UserError(f"{self.corpus}: {number}", got=first_of(told, "; "), fix=self.fix)


def _list(told: Sequence[str]) -> str:
    """List all in a file, and say where; a file that cannot be written hides no defect."""
    path = state_folder() / "defects.txt"
    try:
        write_whole(path, "".join(f"{line}\n" for line in told).encode(errors="backslashreplace"))
    except OSError as error:
        return f"not listed in {str(path)!r} ({error.strerror or error})"
    return f"listed in {str(path)!r}"


def first_of(told: Sequence[str], between: str) -> str:
    """Join what is told, of a long list the first of each kind, and say how many more there are."""
    if _fits(told):
        return between.join(told)
    kinds: Counter[str] = Counter()
    first: list[str] = []
    for line in told:
        kind = _kind(line)
        kinds[kind] += 1
        if kinds[kind] <= _OF_A_KIND and (not first or _fits([*first, line])):
            first.append(line)
    more = len(told) - len(first)
    return between.join([*first, f"and {more} more"] if more else first)


def _fits(told: Sequence[str]) -> bool:
    return len(told) <= _SHOWN and sum(map(len, told)) <= _LETTERS


def _kind(line: str) -> str:
    # A problem begins with its kind, which names and numbers precede or follow.
    words = re.sub(r"\S*[\d./]\S*", "", line.rpartition(": ")[2]).split()
    return " ".join(words[:3])
