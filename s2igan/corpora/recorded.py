"""A folder of pictures and of recordings that describe them, prepared by its user.

The folder holds ``index.csv`` and the files that it names; ``docs/your-own-corpus.md`` shows how to
make one. No text is needed anywhere, and no classes: without them every picture is a class of its
own, as in the paper authors' code for Flickr8k.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from s2igan.corpora.archives import Archives
from s2igan.corpora.defects import Defects, first_of
from s2igan.corpora.fetching.space import require_space
from s2igan.corpora.index import write_corpus
from s2igan.corpora.listing import check_class_sizes
from s2igan.corpora.manifest import digest
from s2igan.corpora.recorded_csv import ListedPicture, read_index, shortened
from s2igan.corpora.recorded_files import check_pictures, check_recordings, find_file, read_file
from s2igan.corpora.splits import draw_test, split_of_classes
from s2igan.corpora.task import Task
from s2igan.errors import UserError

KIND = "recorded"
INDEX = "index.csv"

Splits = Mapping[str, str]
"""Split of every class, by its name; of every picture, by its path, where there are no classes."""


def find_index(edition: str, archives: Archives) -> Path:
    """Return the index of a prepared folder.

    Raises:
        UserError: if no folder of that name has one.
    """
    found = archives.find(KIND, f"{edition}/{INDEX}")
    if found is None:
        folders = dict.fromkeys((*archives.folders, archives.store))
        places = [str(folder / KIND / edition / INDEX) for folder in folders]
        raise UserError(
            f"prepared folder {edition!r}",
            got=f"no {INDEX}",
            expected=" or ".join(map(repr, places)),
            fix="prepare it as docs/your-own-corpus.md shows; S2IGAN_ARCHIVES names the folder of "
            "archives",
        )
    return found


def build(task: Task) -> None:
    """Build the corpus folder from a prepared folder.

    Args:
        task: the folder lies at ``<archives>/recorded/<edition>`` or ``<archives>/<edition>``; no
            validation classes are drawn where its index names them itself.

    Raises:
        UserError: if the folder or its index is missing or unreadable; or naming, all at once,
            every row that is wrong and file that is missing or, unless it is skipped, broken, and
            splits of fewer than two classes.
    """
    index = find_index(task.edition, task.archives)
    folder = index.parent
    defects = Defects(
        f"prepared folder {str(folder)!r}",
        f"mend {INDEX}, or the files: JPEG or PNG, WAV, FLAC, OGG or MP3",
        on_broken=task.on_broken,
    )
    listed = read_index(index, defects)
    found = _find_all(folder, listed, defects)
    splits: Splits = {}
    if not defects.found:  # what is drawn from a faulty index would mean nothing
        splits = _splits(listed, task)
        _check_leaks(listed, splits, defects)
        _check_left(listed, splits, defects)
    check_pictures(found, listed, defects, task.workers)
    check_recordings(found, _recordings(listed), defects, task.workers)
    defects.raise_any()
    pictures = _leave_out(listed, defects)
    check_class_sizes(_class_names(listed), _class_names(pictures), defects)
    _check_left(pictures, splits, defects)
    defects.raise_any()
    info = {
        "kind": KIND,
        "edition": task.edition,
        "upright": True,
        "index_sha256": digest(index, "sha256"),
    }
    _write(task.out, found, pictures, splits, info, defects.skipped)


def _write(
    out: Path,
    found: Mapping[str, Path],
    pictures: Sequence[ListedPicture],
    splits: Splits,
    info: Mapping[str, object],
    skipped: Mapping[str, str],
) -> None:
    recordings = _recordings(pictures)
    images = [found[picture.image] for picture in pictures]
    clips = [found[name] for name in recordings]
    require_space(out, sum(path.stat().st_size for path in (*images, *clips)))
    if skipped:
        sys.stderr.write(
            f"corpus {info['edition']}: {len(skipped)} files skipped, listed in corpus.json:\n"
        )
        lines = [f"  {name}: {problem}" for name, problem in skipped.items()]
        sys.stderr.write(first_of(lines, "\n") + "\n")
    write_corpus(
        out,
        _image_table(pictures, splits),
        map(read_file, images),
        _description_table(pictures, {name: row for row, name in enumerate(recordings)}),
        map(read_file, clips),
        info={
            **info,
            "has_classes": _has_classes(pictures),
            **({"skipped": dict(skipped)} if skipped else {}),
        },
    )


def _find_all(folder: Path, pictures: Sequence[ListedPicture], defects: Defects) -> dict[str, Path]:
    """Find every file that is named, noting those that are not there."""
    wanted = [("picture", picture.image, picture.line) for picture in pictures]
    wanted += [("recording", name, line) for name, line in _recordings(pictures).items()]
    found: dict[str, Path] = {}
    for what, name, line in wanted:
        if path := find_file(folder, name):
            found[name] = path
        else:
            defects.add(f"line {line}: no such {what} as {shortened(name)}")
    return found


def _splits(pictures: Sequence[ListedPicture], task: Task) -> Splits:
    """Take the splits that the index names, or draw them; validation is drawn from training."""
    named = {_class_of(picture): picture.split for picture in pictures}
    names = sorted(named)
    if task.val_classes and "val" in named.values():
        raise UserError(
            "corpus.val_classes",
            got=task.val_classes,
            expected="0, since the index names validation classes itself",
        )
    if None in named.values():
        drawn = draw_test(range(len(names)), task.test_share, task.seed)
        named = {name: "test" if row in drawn else "train" for row, name in enumerate(names)}
    rows = [row for row, name in enumerate(names) if named[name] != "val"]
    test = {row for row in rows if named[names[row]] == "test"}
    splits = split_of_classes(rows, test, task.val_classes, task.seed)
    return {name: splits.get(row, "val") for row, name in enumerate(names)}


def _check_leaks(pictures: Sequence[ListedPicture], splits: Splits, defects: Defects) -> None:
    """Note recordings that would be heard in training and in test."""
    heard: dict[str, ListedPicture] = {}
    for picture in pictures:
        for said in picture.descriptions:
            if said.recording is None:
                continue
            first = heard.setdefault(said.recording, picture)
            now, before = (splits[_class_of(one)] for one in (picture, first))
            if now != before:
                is_named = (picture.split, first.split) == (now, before)
                defects.add(
                    f"line {said.line}: {said.recording} describes a picture of the split {now}, "
                    f"but before one of {before}"
                    + ("" if is_named else f", as they were drawn: name the splits in {INDEX}")
                )


def _leave_out(pictures: Sequence[ListedPicture], defects: Defects) -> list[ListedPicture]:
    """Return what is left without broken files; a picture without a description goes too."""
    kept = []
    for picture in pictures:
        if picture.image in defects.broken:
            continue
        sound = [d for d in picture.descriptions if d.recording not in defects.broken]
        if sound:
            kept.append(replace(picture, descriptions=sound))
        else:
            defects.add_picture(picture.image, "none of its recordings is left")
    return kept


def _check_left(pictures: Sequence[ListedPicture], splits: Splits, defects: Defects) -> None:
    """Note splits that are too small to tell anything apart in them."""
    counts = Counter(splits[name] for name in {_class_of(picture) for picture in pictures})
    unit = "classes" if _has_classes(pictures) else "pictures"
    for split in ("train", "test"):
        if counts[split] < 2:
            defects.add(
                f"{counts[split]} {unit} of the split {split}; at least 2 are needed: list more, "
                f"or change the splits of {INDEX}, corpus.test_share or corpus.val_classes"
            )


def _image_table(pictures: Sequence[ListedPicture], splits: Splits) -> pd.DataFrame:
    has_classes = _has_classes(pictures)
    names = sorted({_class_of(picture) for picture in pictures})
    ids = {name: class_id for class_id, name in enumerate(names)}
    return pd.DataFrame(
        {
            "name": [picture.image for picture in pictures],
            "class_id": [
                ids[_class_of(p)] if has_classes else row for row, p in enumerate(pictures)
            ],
            "class_name": [picture.class_name or "" for picture in pictures],
            "split": [splits[_class_of(picture)] for picture in pictures],
            "box": [picture.box for picture in pictures],
        }
    )


def _description_table(
    pictures: Sequence[ListedPicture], recordings: Mapping[str, int]
) -> pd.DataFrame:
    said = [one for picture in pictures for one in picture.descriptions]
    counts = [len(picture.descriptions) for picture in pictures]
    clips = [None if one.recording is None else recordings[one.recording] for one in said]
    # Column by column: a dictionary for each row would take more than all that is known of it.
    return pd.DataFrame(
        {
            "image": np.repeat(np.arange(len(counts)), counts),
            "position": np.concatenate([np.arange(count) for count in counts]),
            "text": pd.Series([one.text for one in said], dtype=object),
            "recording": pd.array(clips, "Int32"),
            "role": "caption",
        }
    )


def _recordings(pictures: Sequence[ListedPicture]) -> dict[str, int]:
    """Return every recording once, in the order of the descriptions, with a line that names it."""
    lines: dict[str, int] = {}
    for picture in pictures:
        for said in picture.descriptions:
            if said.recording is not None:
                lines.setdefault(said.recording, said.line)
    return lines


def _class_names(pictures: Sequence[ListedPicture]) -> list[str]:
    return [picture.class_name for picture in pictures if picture.class_name is not None]


def _has_classes(pictures: Sequence[ListedPicture]) -> bool:
    return any(picture.class_name is not None for picture in pictures)


def _class_of(picture: ListedPicture) -> str:
    return picture.class_name or picture.image
