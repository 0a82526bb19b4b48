"""One row of the same sentences and noise per system, as in the paper's Fig. 2."""

from collections.abc import Sequence

from s2igan.comparison.figures import Entry
from s2igan.engine.pictures import Picture
from s2igan.evaluation.lettering import Sheet, can_set, load_font, words_of, wrap

_LABEL, _GAP, _LETTERS, _LINES = 190, 6, 17, 4
_LEAST_SIDE = 96
_DESCRIBED = "the described pictures"


def systems_picture(entries: Sequence[Entry]) -> Picture | None:
    """Lay the rows of pictures out below the described ones, titles at the left.

    A row whose title cannot be set in the fonts at hand goes by its name.

    Args:
        entries: the rows; those without pictures are left out.

    Returns:
        One picture, or None where no row has any.
    """
    both = [
        (e.title if can_set(e.title) else e.name, picture)
        for e in entries
        if (picture := e.first.row_picture) is not None
    ]
    if not both:
        return None
    rows = [(title, picture[len(picture) // 2 :]) for title, picture in both]
    described = both[0][1]
    rows.insert(0, (_DESCRIBED, described[: len(described) // 2]))
    heights = [picture.shape[0] for _, picture in rows]
    # Small pictures are enlarged by a whole factor, so that the titles beside them can be read.
    scales = [-(-_LEAST_SIDE // height) for height in heights]
    widths = [picture.shape[1] * scale for (_, picture), scale in zip(rows, scales, strict=True)]
    total = sum(h * s for h, s in zip(heights, scales, strict=True)) + _GAP * (len(rows) - 1)
    sheet = Sheet(_LABEL + max(widths), total)
    font, top = load_font(_LETTERS), 0
    for (title, picture), scale in zip(rows, scales, strict=True):
        height, width = picture.shape[0] * scale, picture.shape[1] * scale
        lines = wrap(words_of(title), font, _LABEL - 2 * _GAP, _LINES)
        spacing = _LETTERS + 4
        sheet.lines(lines, _GAP, top + (height - spacing * len(lines)) // 2, font, spacing)
        sheet.paste(picture, _LABEL, top, width, height)
        top += height + _GAP
    return sheet.picture
