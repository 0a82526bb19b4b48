"""Everything wrong with a corpus, gathered so that it can be told at once."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from s2igan.engine.folders import write_whole
from s2igan.engine.runtime import state_folder
from s2igan.errors import UserError

_SHOWN, _OF_A_KIND = 20, 3


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
            if len(told) > _SHOWN:
                path = state_folder() / "defects.txt"
                lines = "".join(f"{line}\n" for line in told)
                write_whole(path, lines.encode(errors="backslashreplace"))
                number += f", listed in {str(path)!r}"
            raise UserError(f"{self.corpus}: {number}", got=first_of(told, "; "), fix=self.fix)


def first_of(told: Sequence[str], between: str) -> str:
    """Join what is told, of a long list the first of each kind, and say how many more there are.

    What differs in numbers alone is of one kind.
    """
    if len(told) <= _SHOWN:
        return between.join(told)
    kinds: Counter[str] = Counter()
    first: list[str] = []
    for line in told:
        kind = re.sub(r"\d+", "", line)
        kinds[kind] += 1
        if kinds[kind] <= _OF_A_KIND and len(first) < _SHOWN:
            first.append(line)
    return between.join([*first, f"and {len(told) - len(first)} more"])
