"""Written captions as Reed et al. publish them: a text file per picture, a caption per line."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from s2igan.corpora.archives import read_members
from s2igan.corpora.defects import Defects
from s2igan.corpora.listing import ListedPicture
from s2igan.corpora.published_manifest import CorpusManifest, E


class Caption(NamedTuple):
    """One caption and its line, from 0."""

    position: int
    text: str


def read_captions(path: Path, wanted: re.Pattern[str], defects: Defects) -> dict[str, bytes]:
    """Read the caption files of an archive, noting those that are there twice.

    Args:
        path: the archive.
        wanted: searched for in names of files; its groups ``folder`` and ``picture`` are class
            folder and picture.
        defects: gets what is wrong.

    Returns:
        Content by ``<class folder>/<picture>``.

    Raises:
        UserError: if the archive is broken; or, with all defects so far, if no captions are inside.
    """
    files: dict[str, bytes] = {}
    for match, content in read_members(path, wanted):
        place = f"{match['folder']}/{match['picture']}"
        if place in files:
            defects.add(f"captions {place}: twice in {path.name}")
        files[place] = content
    if not files:
        defects.add(f"{path.name}: no captions inside")
        defects.raise_any()
    return files


def check_captions(
    pictures: Sequence[ListedPicture],
    files: Mapping[str, bytes],
    facts: CorpusManifest[E],
    defects: Defects,
) -> dict[str, list[Caption]]:
    """Return the captions of every picture, without those that the manifest drops.

    Noted are pictures without captions, with another number of them, with a line without words or
    with bytes that are not UTF-8; captions of no listed picture; and quirks that are not there.

    Returns:
        Captions in the order of their lines, by name of the picture.
    """
    captions: dict[str, list[Caption]] = {}
    quirks = facts.dropped_by_image()
    for picture in pictures:
        dropped = quirks.pop(picture.stem, {})
        lines, problems = _lines_of(files.get(picture.place), facts.counts.captions_per_image)
        captions[picture.name] = [
            Caption(position, text)
            for position, text in enumerate(lines)
            if dropped.get(position) != text
        ]
        problems += _wordless(captions[picture.name])
        for problem in problems:
            defects.add_picture(picture.name, problem)
        if not problems:
            quirks[picture.stem] = _not_there(dropped, lines)
    for image, lost in quirks.items():
        for position, text in lost.items():
            defects.add(f"{image}: caption {position} is not the {text!r} that the manifest drops")
    listed = {picture.place for picture in pictures}
    for place in files:
        if place not in listed:
            defects.add(f"captions {place}: of no picture that is listed there")
    return captions


def _wordless(captions: Sequence[Caption]) -> list[str]:
    return [
        f"caption {position} without words ({text!r})"
        for position, text in captions
        if not any(map(str.isalnum, text))
    ]


def _lines_of(content: bytes | None, expected: int) -> tuple[list[str], list[str]]:
    """Return the lines of one file and what is wrong with the file."""
    if content is None:
        return [], ["without captions"]
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return [], [f"captions that are not UTF-8 (byte 0x{content[error.start]:02x})"]
    lines = [line.strip() for line in text.split("\n")] if text else []
    if len(lines) != expected:
        return lines, [f"{len(lines)} captions instead of {expected}"]
    return lines, []


def _not_there(dropped: Mapping[int, str], lines: Sequence[str]) -> dict[int, str]:
    there = dict(enumerate(lines))
    return {place: text for place, text in dropped.items() if there.get(place) != text}
