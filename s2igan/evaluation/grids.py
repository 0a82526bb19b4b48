"""Pictures to look at: drawn beside real ones, and the keyword swap (paper Fig. 3)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from s2igan.engine.arrays import Array, Ragged
from s2igan.engine.pictures import Picture
from s2igan.evaluation.judge import Rows
from s2igan.evaluation.lettering import (
    Sheet,
    Word,
    can_set,
    load_font,
    mark_changes,
    words_of,
    wrap,
)
from s2igan.evaluation.material import Material
from s2igan.evaluation.swap import has_changed_sentences, swap_rows

SIDE = 128
"""Side at which every picture is shown, px; a picture of 64 px is doubled."""

_GAP, _MARGIN, _FONT, _LINE, _LINES = 6, 14, 16, 21, 3
_COLUMNS, _WORDS, _MEL = 2, 330, 40


@dataclass(frozen=True)
class Layout:
    """Blocks of one size in columns, under a line of words.

    Args:
        blocks: how many.
        width: of a block, px.
        height: of a block, px.
    """

    blocks: int
    width: int
    height: int

    @property
    def columns(self) -> int:
        """Blocks side by side."""
        return min(_COLUMNS, self.blocks)

    def sheet(self) -> Sheet:
        """Return an empty sheet for all blocks."""
        rows = -(-self.blocks // self.columns)
        return Sheet(
            self.columns * (self.width + 2 * _MARGIN),
            rows * (self.height + _MARGIN) + _MARGIN + _LINE,
        )

    def corner(self, block: int) -> tuple[int, int]:
        """Left and top of one block, px."""
        row, column = divmod(block, self.columns)
        left = _MARGIN + column * (self.width + 2 * _MARGIN)
        return left, _MARGIN + _LINE + row * (self.height + _MARGIN)


def samples_grid(
    material: Material, features: Path, sentences: int, pictures: int, seed: int
) -> Picture:
    """Show spoken sentences, each over the real picture it describes and what was drawn from it.

    A description without a text that can be set stands as its log-mel and the name of its picture.

    Args:
        material: the pictures.
        features: folder of the log-mel, for descriptions without such a text.
        sentences: at most this many, each of another species.
        pictures: drawn pictures per sentence, at most.
        seed: of the choice.

    Returns:
        One picture, uint8.
    """
    groups = choose_sentences(material, sentences, seed)
    drawn = min(pictures, max(len(group) for group in groups))
    width = (1 + drawn) * (SIDE + _GAP) - _GAP
    targets = [int(material.targets(group[:1])[0]) for group in groups]
    spoken = [_wrapped(material, utterance, width) for utterance in targets]
    over = _LINE * max(len(lines) for lines in spoken)  # room over the pictures
    layout = Layout(len(groups), width, over + _GAP + SIDE)
    sheet = layout.sheet()
    _head(sheet, layout, ("real", "drawn from the speech"))
    for block, (group, utterance, lines) in enumerate(zip(groups, targets, spoken, strict=True)):
        left, top = layout.corner(block)
        top += over + _GAP
        # Words stand right over the pictures, however many lines they take.
        sheet.lines(lines, left, top - _GAP - len(lines) * _LINE, load_font(_FONT), _LINE)
        if not _shows_text(material, utterance):
            mel = mel_picture(Ragged(features, "mel")[utterance])
            sheet.paste(mel, left, top - _GAP - _MEL, width, _MEL)
        real = material.real(material.described[[utterance]])
        sheet.paste(real[0], left, top, SIDE, SIDE)
        sheet.frame(left, top, SIDE)
        for place, picture in enumerate(material.drawn(group[:drawn]), start=1):
            sheet.paste(picture, left + place * (SIDE + _GAP), top, SIDE, SIDE)
    return sheet.picture


def samples_row(material: Material, sentences: int, seed: int) -> Picture:
    """Lay the first picture drawn of each sentence of :func:`samples_grid` out in one row.

    Sentences and noise depend on corpus, split and seeds alone, so rows of variants compare.

    Returns:
        ``(2 * S, n * S, 3)`` uint8 at the drawn size, without margins and lettering: the described
        pictures over the drawn ones.
    """
    first = np.array([group[0] for group in choose_sentences(material, sentences, seed)])
    described = material.real(material.pictures(first))
    rows = [np.concatenate(list(row), axis=1) for row in (described, material.drawn(first))]
    return np.concatenate(rows)


def choose_sentences(material: Material, count: int, seed: int) -> list[Rows]:
    """Choose sentences of different species, those that were drawn several times where there are.

    Args:
        material: the samples.
        count: sentences, at most.
        seed: of the choice.

    Returns:
        Rows of the samples of each chosen sentence, in the order of the species.
    """
    rng = np.random.default_rng(seed)
    chosen: dict[int, tuple[str, int]] = {}
    for name in ("draws", material.drawn_set):
        spoken = material.utterances(material.drawn_rows(name))
        for utterance in rng.permutation(np.unique(spoken)).tolist():
            chosen.setdefault(int(material.classes[utterance]), (name, utterance))
    kept = rng.permutation(sorted(chosen))[:count]
    return [_drawn_of(material, *chosen[species]) for species in sorted(kept.tolist())]


def _drawn_of(material: Material, name: str, utterance: int) -> Rows:
    rows = material.drawn_rows(name)
    drawn: Rows = rows[material.utterances(rows) == utterance]
    return drawn


def swap_grid(material: Material, pairs: int, seed: int) -> Picture:
    """Show sentences and what is drawn when one word, marked, is changed.

    Args:
        material: the pictures.
        pairs: at most this many, over different species while there are any.
        seed: of the choice.

    Returns:
        One picture, uint8; a line of words where the samples hold no swapped sentences.
    """
    before, after = swap_rows(material)
    if not len(before):
        sheet = Sheet(4 * SIDE, 2 * _LINE)
        what = "These samples have" if has_changed_sentences(material) else "This corpus has"
        sheet.text(f"{what} no swapped sentences.", _GAP, _GAP, load_font(_FONT))
        return sheet.picture
    chosen = choose_pairs(material, before, pairs, seed)
    beside = 2 * (SIDE + _GAP)  # where the words start
    layout = Layout(len(chosen), beside + _WORDS, SIDE)
    sheet, font = layout.sheet(), load_font(_FONT - 2)
    _head(sheet, layout, ("first sentence", "second sentence"))
    texts = material.corpus.descriptions["text"]
    for block, pair in enumerate(chosen.tolist()):
        rows = np.array([before[pair], after[pair]])
        said = [str(text) for text in texts.iloc[material.utterances(rows)]]
        left, top = layout.corner(block)
        for place, words in enumerate(mark_changes(said[0], said[1])):
            y = top + place * SIDE // 2
            sheet.lines(wrap(words, font, _WORDS, _LINES), left + beside, y, font, _LINE - 1)
        for place, picture in enumerate(material.drawn(rows)):
            sheet.paste(picture, left + place * (SIDE + _GAP), top, SIDE, SIDE)
    return sheet.picture


def choose_pairs(material: Material, before: Rows, count: int, seed: int) -> Rows:
    """Choose positions in ``before``, going round the species.

    Args:
        material: the samples.
        before: rows of the pictures of original sentences.
        count: pairs, at most.
        seed: of the choice.

    Returns:
        Positions, sorted.
    """
    species = material.classes[material.utterances(before)]
    mixed = np.random.default_rng(seed).permutation(len(before))
    rounds = pd.Series(mixed).groupby(species[mixed]).cumcount()
    return np.sort(mixed[np.argsort(rounds.to_numpy(), kind="stable")][:count])


def mel_picture(mel: Array) -> Picture:
    """Show a log-mel as a picture.

    Args:
        mel: ``(T, bands)`` float, normalised per band.

    Returns:
        ``(bands, T, 3)`` uint8, low bands at the bottom, loud is dark.
    """
    loudness = np.clip((np.asarray(mel, np.float32).T[::-1] + 2) / 4, 0, 1)  # (bands, T)
    grey = (255 * (1 - loudness)).round().astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _head(sheet: Sheet, layout: Layout, names: tuple[str, str]) -> None:
    """Name the first picture and those after it, over every column of blocks."""
    for column in range(layout.columns):
        left, _ = layout.corner(column)
        for place, name in enumerate(names):
            sheet.text(name, left + place * (SIDE + _GAP), _MARGIN // 2, load_font(_FONT - 3))


def _wrapped(material: Material, utterance: int, width: int) -> list[list[Word]]:
    """Return what stands over the pictures: the text, or a name and room for the log-mel."""
    description = material.corpus.descriptions.iloc[utterance]
    if _shows_text(material, utterance):
        return wrap(words_of(description["text"]), load_font(_FONT), width, _LINES)
    image = int(material.described[utterance])
    picture = str(material.corpus.images["name"].iloc[image])
    if not can_set(picture):
        picture = f"picture {image + 1} of the corpus"
    name = words_of(f"{picture}, description {int(description['position']) + 1}")
    return [name, *[[] for _ in range(-(-_MEL // _LINE))]]


def _shows_text(material: Material, utterance: int) -> bool:
    text = material.corpus.descriptions["text"].iloc[utterance]
    return isinstance(text, str) and can_set(text)
