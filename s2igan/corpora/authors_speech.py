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


class AuthorsSpeech:
    """The recordings of one archive, in its order; none is held in memory.

    Args:
        path: the archive.
        pictures: what is listed.
        facts: the manifest.
        defects: where to note recordings that are missing, surplus, twice there or broken.

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
        numbered = self._survey(facts.counts.utterances, defects)
        if not numbered:
            defects.add(f"{path.name}: no recordings inside")
            defects.raise_any()
        self._first = min(1, min(number for _, number in numbered))
        self._order = [Spoken(name, number - self._first) for name, number in numbered]
        self._check(pictures, facts, defects)

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

    def _survey(self, expected: int, defects: Defects) -> list[tuple[str, int]]:
        """Return picture and number of every recording in the order of the archive."""
        numbered: list[tuple[str, int]] = []
        strangers: Counter[str] = Counter()
        members = read_members(self._path, _RECORDING)
        for match, content in bar(members, "survey of the authors' speech", total=expected):
            name, number = self._names.get(_place(match)), int(match["number"])
            if name is None:
                strangers[_place(match)] += 1
                continue
            if problem := sound_problem(content):
                defects.add_picture(name, f"recording {number}: {problem}")
            numbered.append((name, number))
            self.size += len(content)
        for place, count in strangers.items():
            defects.add(f"recordings {place}: {count} of no picture that is listed there")
        return numbered

    def _check(
        self, pictures: Sequence[ListedPicture], facts: CorpusManifest[E], defects: Defects
    ) -> None:
        quirks = facts.dropped_by_image()
        found: dict[str, Counter[int]] = {picture.name: Counter() for picture in pictures}
        for name, position in self._order:
            found[name][position] += 1
        due = range(facts.counts.captions_per_image)
        for picture in pictures:
            positions = found[picture.name]
            # Whether a caption that is no description was spoken makes no difference.
            needed = set(due) - quirks.get(picture.stem, {}).keys()
            for position in sorted(needed - positions.keys()):
                defects.add_picture(picture.name, f"no recording of caption {position}")
            for position in sorted(positions):
                if position not in due:
                    defects.add_picture(picture.name, f"a recording of no caption ({position})")
                elif positions[position] > 1:
                    defects.add_picture(picture.name, f"caption {position} recorded twice")


def _place(match: re.Match[str]) -> str:
    return f"{match['folder']}/{match['picture']}"
