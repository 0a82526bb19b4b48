"""A corpus built from archives that others publish: the same steps for each of them.

The archives' own order has no say: pictures are checked as they come, wait on disk, and are written
in the order of the published lists. Nothing is held in memory that grows with their size.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from s2igan.corpora.archives import locate
from s2igan.corpora.authors_speech import AuthorsSpeech, Spoken
from s2igan.corpora.captions import Caption, check_captions, read_captions
from s2igan.corpora.defects import Defects
from s2igan.corpora.fetching.space import require_space
from s2igan.corpora.index import write_corpus
from s2igan.corpora.listing import (
    ListedPicture,
    check_class_sizes,
    check_counts,
    check_labels,
    check_pictures,
)
from s2igan.corpora.manifest import PublishedFile, digest
from s2igan.corpora.published_manifest import CorpusManifest, E
from s2igan.corpora.splits import split_of_classes
from s2igan.corpora.spool import Spool, open_spool, spool_pictures
from s2igan.corpora.task import Task
from s2igan.engine.progress import bar

Found = Mapping[str, Path]
"""Verified archives on this machine, by name."""


class Layout(Protocol):
    """How one corpus lies in its archives.

    Attributes:
        kind: its name.
        captions: searched for in the archive of captions; groups ``folder`` and ``picture``.
    """

    kind: str
    captions: re.Pattern[str]

    def pictures(self, found: Found) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of every picture file, in the order of the archives."""
        ...

    def listed(self, found: Found, defects: Defects) -> list[ListedPicture]:
        """Return what the lists name, in their order; called once all pictures have passed.

        Raises:
            UserError: if a list cannot be used.
        """
        ...


def build_published(
    task: Task,
    facts: CorpusManifest[E],
    layout_of: Callable[[E], Layout],
    speech: PublishedFile | None = None,
) -> None:
    """Build the corpus folder from the archives of one edition.

    Args:
        task: what to build and where from.
        facts: the manifest.
        layout_of: how the corpus lies in the archives of an edition.
        speech: recordings of the captions that go with any edition, or None.

    Raises:
        UserError: if archives are missing or wrong; or naming all defects at once. Those of one
            picture (missing, undecodable, without box; captions missing, too few or many, not
            UTF-8, without words; recordings missing, surplus, broken) stop unless
            ``task.on_broken`` is ``skip``; those of the lists and the counts always do.
    """
    edition = facts.editions[task.edition]
    layout = layout_of(edition)
    splits = split_of_classes(
        range(1, facts.counts.classes + 1), facts.test_classes, task.val_classes, task.seed
    )
    files = [*edition.files, *([speech] if speech else [])]
    found = locate(files, layout.kind, task.archives)
    photographs = [found[file.name] for file in edition.photographs]
    # Photographs hardly compress, so they take as much space as their archives, twice: on their
    # way and in the corpus.
    require_space(task.out, 2 * sum(path.stat().st_size for path in photographs))
    defects = _no_defects(layout.kind, task)
    with open_spool(task.out.parent) as spool:
        passing = bar(layout.pictures(found), f"{layout.kind} pictures", total=facts.counts.images)
        spool_pictures(passing, spool, defects, task.workers)
        pictures = layout.listed(found, defects)
        check_pictures(pictures, spool, " and ".join(path.name for path in photographs), defects)
        written = read_captions(found[edition.captions.name], layout.captions, defects)
        captions = check_captions(pictures, written, facts, defects)
        spoken = AuthorsSpeech(found[speech.name], pictures, facts, defects) if speech else None
        left = _sound(pictures, captions, facts, defects)
        info = _info(layout.kind, task.edition, files, found, facts, defects)
        _write(task.out, left, splits, spool, captions, spoken, info)


def _no_defects(kind: str, task: Task) -> Defects:
    return Defects(
        f"corpus {kind}, edition {task.edition}",
        fix=f"fetch the archives again, list a published quirk in {str(task.manifest)!r}, or "
        "leave broken pictures out by corpus.on_broken",
        on_broken=task.on_broken,
    )


def _sound(
    pictures: Sequence[ListedPicture],
    captions: Mapping[str, Sequence[Caption]],
    facts: CorpusManifest[E],
    defects: Defects,
) -> list[ListedPicture]:
    """Return the pictures that are left once the corpus as a whole is found right.

    Raises:
        UserError: with all defects that stop.
    """
    per_image, quirks = facts.counts.captions_per_image, facts.dropped_by_image()
    # A broken picture counts as it would if it were whole: it is told or listed by itself.
    numbers = {
        picture.name: per_image - len(quirks.get(picture.stem, {}))
        if picture.name in defects.broken
        else len(captions[picture.name])
        for picture in pictures
    }
    skipped = defects.skipped
    left = [picture for picture in pictures if picture.name not in skipped]
    check_labels(pictures, facts.counts.classes, defects)
    check_counts(pictures, numbers, facts.test_classes, facts.counts, defects)
    check_class_sizes((p.class_name for p in pictures), (p.class_name for p in left), defects)
    defects.raise_any()
    return left


def _info(
    kind: str,
    edition: str,
    files: Sequence[PublishedFile],
    found: Found,
    facts: CorpusManifest[E],
    defects: Defects,
) -> dict[str, object]:
    unpinned = {
        file.name: digest(found[file.name], "sha256") for file in files if file.checksum is None
    }
    return {
        "kind": kind,
        "edition": edition,
        "dropped_captions": len(facts.dropped_captions),
        **({"unpinned_sha256": unpinned} if unpinned else {}),
        **({"skipped": defects.skipped} if defects.skipped else {}),
    }


def _write(
    out: Path,
    pictures: Sequence[ListedPicture],
    splits: Mapping[int, str],
    spool: Spool,
    captions: Mapping[str, Sequence[Caption]],
    speech: AuthorsSpeech | None,
    info: Mapping[str, object],
) -> None:
    require_space(out, spool.size + (speech.size if speech else 0))
    said = [
        (image, Spoken(picture.name, caption.position), caption.text)
        for image, picture in enumerate(pictures)
        for caption in captions[picture.name]
    ]
    rows = speech.rows({spoken for _, spoken, _ in said}) if speech else {}
    images = pd.DataFrame(
        {
            "name": [picture.name for picture in pictures],
            "class_id": [picture.class_number - 1 for picture in pictures],
            "class_name": [picture.class_name for picture in pictures],
            "split": [splits[picture.class_number] for picture in pictures],
            "box": [picture.box for picture in pictures],
        }
    )
    descriptions = pd.DataFrame(
        {
            "image": [image for image, _, _ in said],
            "position": [spoken.position for _, spoken, _ in said],
            "text": [text for _, _, text in said],
            "role": "caption",
            **({"recording": [rows[spoken] for _, spoken, _ in said]} if speech else {}),
        }
    )
    write_corpus(
        out,
        images,
        (spool[picture.name] for picture in pictures),
        descriptions,
        speech.contents(rows) if speech else (),
        info=info,
    )
