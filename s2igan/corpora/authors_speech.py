"""The speech that the paper's authors published: a recording per written caption.

The archive is documented as ``audio/<class>/<picture>/<number>.wav``. It has not been seen here, so
names are read leniently: class folder, picture, and the last number of the name; numbers count from
0 or from 1, whichever the whole archive does.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from s2igan.corpora.archives import read_members
from s2igan.corpora.defects import Defects
from s2igan.corpora.listing import ListedPicture
from s2igan.corpora.published_manifest import CorpusManifest, E
from s2igan.engine.progress import bar
from s2igan.engine.sound import sound_problem

# Names that begin with `._` hold what a Mac knows of the file beside them.
_RECORDING = re.compile(
    r"(?:^|/)(?P<folder>class_\d+)/(?P<picture>image_\d+)(?:/(?!\._)[^/]*?|_[^/]*?)"
    r"(?<!\d)(?P<number>\d+)\.wav$"
)


class Spoken(NamedTuple):
    """Which caption a recording says: name of the picture, and line from 0."""

    picture: str
    position: int


class _Surveyed(NamedTuple):
    picture: str
    number: int
    problem: str | None


class AuthorsSpeech:
    """The recordings of one archive, in its order; none is held in memory.

    Noted as defects are recordings that are missing, surplus, twice there or broken.

    Raises:
        UserError: if the archive is broken; or, with all defects so far, if no recordings are
            inside.
    """

    def __init__(
        self,
        path: Path,
        pictures: Sequence[ListedPicture],
        facts: CorpusManifest[E],
        defects: Defects,
    ) -> None:
        self._path = path
        self._names = {picture.place: picture.name for picture in pictures}
        self.size = 0
        surveyed = self._survey(facts.counts.utterances, defects)
        if not surveyed:
            defects.add(f"{path.name}: no recordings inside")
            defects.raise_any()
        self._first = min(1, min(item.number for item in surveyed))
        self._order = [Spoken(item.picture, item.number - self._first) for item in surveyed]
        self._check(pictures, surveyed, facts, defects)

    def rows(self, wanted: Container[Spoken]) -> dict[Spoken, int]:
        """Number the recordings of the wanted captions in the order of the archive."""
        kept = [spoken for spoken in self._order if spoken in wanted]
        return {spoken: row for row, spoken in enumerate(kept)}

    def contents(self, rows: Mapping[Spoken, int]) -> Iterator[bytes]:
        """Yield the recordings that :meth:`rows` numbered, in its order."""
        members = read_members(self._path, _RECORDING)
        for match, content in bar(members, "authors' speech", total=len(self._order)):
            name = self._names.get(_place(match))
            if name and Spoken(name, int(match["number"]) - self._first) in rows:
                yield content

    def _survey(self, expected: int, defects: Defects) -> list[_Surveyed]:
        """Listen to every recording, in the order of the archive."""
        surveyed: list[_Surveyed] = []
        strangers: Counter[str] = Counter()
        members = read_members(self._path, _RECORDING)
        for match, content in bar(members, "survey of the authors' speech", total=expected):
            name, number = self._names.get(_place(match)), int(match["number"])
            if name is None:
                strangers[_place(match)] += 1
                continue
            surveyed.append(_Surveyed(name, number, sound_problem(content)))
            self.size += len(content)
        for place, count in strangers.items():
            defects.add(f"recordings {place}: {count} of no picture that is listed there")
        return surveyed

    def _check(
        self,
        pictures: Sequence[ListedPicture],
        surveyed: Sequence[_Surveyed],
        facts: CorpusManifest[E],
        defects: Defects,
    ) -> None:
        quirks = facts.dropped_by_image()
        # Whether, and how, a caption that is no description was spoken makes no difference.
        dropped = {picture.name: quirks.get(picture.stem, {}).keys() for picture in pictures}
        for name, number, problem in surveyed:
            if problem and number - self._first not in dropped[name]:
                defects.add_picture(name, f"recording {number}: {problem}")
        found: dict[str, Counter[int]] = {picture.name: Counter() for picture in pictures}
        for name, position in self._order:
            found[name][position] += 1
        due = range(facts.counts.captions_per_image)
        for picture in pictures:
            positions = found[picture.name]
            needed = set(due) - dropped[picture.name]
            for position in sorted(needed - positions.keys()):
                defects.add_picture(picture.name, f"no recording of caption {position}")
            for position in sorted(positions):
                if position not in due:
                    defects.add_picture(picture.name, f"a recording of no caption ({position})")
                elif positions[position] > 1:
                    defects.add_picture(picture.name, f"caption {position} recorded twice")


def _place(match: re.Match[str]) -> str:
    return f"{match['folder']}/{match['picture']}"
