"""Words under and over pictures, in the font that comes with Pillow.

It has hardly more than the letters of English. A word with others is set in DejaVu Sans, which
comes with matplotlib and has those of most languages and of phonetics.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from s2igan.engine.pictures import Picture

INK, MUTED, MARK, PAPER = "#1a1a1a", "#707070", "#c0392b", "#ffffff"
_FRAME = 2  # width, px
_ANY_SIZE = 16  # px; a font has the same letters at every size
_NO_LETTER = "\U0010ffff"  # Unicode keeps this number free

Font = ImageFont.FreeTypeFont

_IN_PILLOWS = frozenset(map(chr, range(32, 127))) | frozenset("©«°±´·»‘’“”…‹›™")


@dataclass(frozen=True)
class Word:
    """One word of a line.

    Args:
        text: the word, without spaces.
        marked: whether it is set in another colour and underlined.
    """

    text: str
    marked: bool = False


def words_of(text: str) -> list[Word]:
    """Split a text into unmarked words."""
    return [Word(word) for word in text.split()]


class Sheet:
    """A white picture to paste pictures and set words on.

    Args:
        width: in px.
        height: in px.
    """

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def picture(self) -> Picture:
        """The sheet as ``(height, width, 3)`` uint8."""
        return np.array(self._image)

    def paste(self, picture: Picture, left: int, top: int, width: int, height: int) -> None:
        """Paste a picture, stretched to ``width`` by ``height`` px."""
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
        self._image.paste(resized, (left, top))

    def frame(self, left: int, top: int, side: int) -> None:
        """Draw a square frame around ``side`` px."""
        box = (left - _FRAME, top - _FRAME, left + side + _FRAME - 1, top + side + _FRAME - 1)
        self._draw.rectangle(box, outline=MUTED, width=_FRAME)

    def text(self, text: str, left: int, top: int, font: Font) -> None:
        """Set one short line."""
        self._set(text, left, top, font, MUTED)

    def lines(
        self, lines: Sequence[Sequence[Word]], left: int, top: int, font: Font, spacing: int
    ) -> None:
        """Set wrapped lines, ``spacing`` px apart."""
        for number, line in enumerate(lines):
            x, y = float(left), top + number * spacing
            for word in line:
                colour = MARK if word.marked else INK
                end = x + self._set(word.text, x, y, font, colour)
                if word.marked:
                    under = y + spacing - 3
                    self._draw.line((x, under, end, under), fill=MARK, width=2)
                x = end + font.getlength(" ")

    def _set(self, text: str, left: float, top: float, font: Font, colour: str) -> float:
        """Set a text on the baseline of ``font`` and return its width, px."""
        own = font_of(text, font)
        down = font.getmetrics()[0] - own.getmetrics()[0]
        self._draw.text((left, top + down), text, fill=colour, font=own)
        return own.getlength(text)


def load_font(size: int) -> Font:
    """Load the font at ``size`` px."""
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # whatever is given a size is one
    return font


def font_of(text: str, font: Font) -> Font:
    """Return ``font``, Pillow's, or one of its size if it lacks a letter of ``text``."""
    return font if set(text) <= _IN_PILLOWS else _wider(font.size) or font


def can_set(text: str) -> bool:
    """Tell whether a text can be read once it is set.

    Of a letter that the fonts lack an empty box is seen, and of a script that runs to the left
    words in the wrong order, since lines are set from the left.
    """
    font = font_of(text, load_font(_ANY_SIZE))
    missing = _shape(_NO_LETTER, font)
    return all(
        unicodedata.bidirectional(letter) not in ("R", "AL") and _shape(letter, font) != missing
        for letter in set("".join(text.split()))
    )


def _shape(letter: str, font: Font) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


@lru_cache
def _wider(size: float) -> Font | None:
    library = find_spec("matplotlib")
    if library is None or library.origin is None:
        return None
    file = Path(library.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(file, size) if file.is_file() else None


def wrap(words: Sequence[Word], font: Font, width: int, most: int) -> list[list[Word]]:
    """Break words into lines of at most ``width`` px.

    Args:
        words: the text.
        font: it will be set in.
        width: of a line, px; a longer word stands alone and is cut by the sheet's edge.
        most: lines to keep; what does not fit gives way to an ellipsis.
    """
    lines: list[list[Word]] = [[]]
    space, used = font.getlength(" "), 0.0
    for word in words:
        length = font_of(word.text, font).getlength(word.text)
        if lines[-1] and used + length > width:
            lines.append([])
            used = 0.0
        lines[-1].append(word)
        used += length + space
    if len(lines) > most:
        lines = lines[:most]
        last = lines[-1][-1]
        lines[-1][-1] = Word(f"{last.text.rstrip('.,;')}…", last.marked)
    return lines


def mark_changes(before: str, after: str) -> tuple[list[Word], list[Word]]:
    """Split two sentences into words and mark those in which they differ."""
    ours, theirs = before.split(), after.split()
    marks: tuple[list[Word], list[Word]] = ([], [])
    matcher = SequenceMatcher(a=ours, b=theirs, autojunk=False)
    for kind, start, end, start_after, end_after in matcher.get_opcodes():
        differ = kind != "equal"
        marks[0].extend(Word(word, differ) for word in ours[start:end])
        marks[1].extend(Word(word, differ) for word in theirs[start_after:end_after])
    return marks
