"""The Oxford 102 flowers with Reed et al.'s captions, split by class as the paper does."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator
from scipy.io import loadmat

from s2igan.corpora.archives import digest, locate, read_members, require_space
from s2igan.corpora.defects import Defects, decodable
from s2igan.corpora.index import write_corpus
from s2igan.corpora.manifest import PublishedFile, Source, check_sources, read_manifest
from s2igan.corpora.splits import split_of_classes
from s2igan.engine.progress import bar
from s2igan.engine.section import Section
from s2igan.errors import UserError

KIND = "oxford102"

# The published archives hold other material too, in places above these.
_PICTURE = re.compile(r"(?:^|/)jpg/image_(\d{5})\.jpg$")
_CAPTIONS = re.compile(r"(?:^|/)text_c10/class_(\d{5})/image_(\d{5})\.txt$")

Captions: TypeAlias = "dict[int, tuple[int, list[str]]]"
"""Class number of the folder and the lines, by picture number; numbers count from 1."""


class Counts(Section):
    """What the corpus must hold after its quirks; training includes validation."""

    classes: int = Field(ge=1)
    captions_per_image: int = Field(ge=1)
    images: int = Field(ge=1)
    train_images: int = Field(ge=0)
    test_images: int = Field(ge=0)
    utterances: int = Field(ge=0)
    test_utterances: int = Field(ge=0)


class DroppedCaption(Section):
    """A caption that is known to be no description, and is left out alone.

    Attributes:
        image: name of the picture, without suffix.
        position: line of its captions, from 0.
        text: what stands there.
    """

    image: str = Field(pattern=r"^image_\d{5}$")
    position: int = Field(ge=0)
    text: str


class Edition(Section):
    """The archives of one edition."""

    photographs: list[PublishedFile] = Field(min_length=1)
    labels: PublishedFile
    captions: PublishedFile

    @property
    def files(self) -> list[PublishedFile]:
        """All archives."""
        return [*self.photographs, self.labels, self.captions]


class Oxford102Manifest(Section):
    """``data/oxford102.yaml``."""

    sources: dict[str, Source]
    test_classes: list[int]
    counts: Counts
    dropped_captions: list[DroppedCaption]
    editions: dict[str, Edition]

    @model_validator(mode="after")
    def _sources_known(self) -> Self:
        check_sources(self.sources, [f for e in self.editions.values() for f in e.files])
        return self


def build(
    manifest: Path,
    edition: str,
    *,
    archives: Path | None,
    seed: int,
    val_classes: int,
    out: Path,
    workers: int,
) -> None:
    """Build the corpus folder from the archives of one edition.

    Args:
        manifest: ``data/oxford102.yaml``.
        edition: a key of its editions.
        archives: folder of archives.
        seed: draws the validation classes.
        val_classes: how many are drawn.
        out: the corpus folder to (re)place.
        workers: processes that check pictures; no influence on the result.

    Raises:
        UserError: if archives are missing or wrong; or naming, all at once, every unlisted caption
            without words, picture with another number of captions, missing or undecodable picture,
            label out of range, contradiction between labels and folders, and count that differs
            from the manifest's.
    """
    facts = read_manifest(manifest, Oxford102Manifest)
    if edition not in facts.editions:
        raise UserError(
            f"editions of {str(manifest)!r}", got=repr(edition), expected=", ".join(facts.editions)
        )
    files = facts.editions[edition]
    found = locate(files.files, KIND, archives)
    photographs = [found[file.name] for file in files.photographs]
    # Photographs hardly compress, so they take as much space as their archives.
    require_space(out, sum(path.stat().st_size for path in photographs))

    unpinned = {
        file.name: digest(found[file.name], "sha256")
        for file in files.files
        if file.checksum is None
    }
    defects = Defects(
        f"corpus {KIND}, edition {edition}",
        fix=f"fetch the archives again, or list a published quirk in {str(manifest)!r}",
    )
    labels = _read_labels(found[files.labels.name])
    captions = _read_captions(found[files.captions.name], defects)
    images = _image_table(labels, facts, val_classes, seed)
    descriptions = _description_table(labels, captions, facts.dropped_captions, facts, defects)
    _check_counts(images, descriptions, facts.counts, defects)
    write_corpus(
        out,
        images,
        _sound_pictures(photographs, len(labels), defects, workers),
        descriptions,
        info={
            "kind": KIND,
            "edition": edition,
            "dropped_captions": len(facts.dropped_captions),
            **({"unpinned_sha256": unpinned} if unpinned else {}),
        },
    )


def _read_labels(path: Path) -> npt.NDArray[np.int64]:
    """Read the class number of every picture, ``(images,)``, both counted from 1."""
    try:
        content: dict[str, Any] = loadmat(str(path))
        labels = np.asarray(content["labels"])
    except (KeyError, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise UserError(
            f"labels {str(path)!r}",
            got=" ".join(str(error).split()),
            expected="a MATLAB file with a variable `labels`",
            fix="fetch it again",
        ) from error
    if labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"labels {str(path)!r}",
            got=f"{labels.size} values of type {labels.dtype}",
            expected="one whole number per picture",
        )
    return labels.ravel().astype(np.int64)


def _read_captions(path: Path, defects: Defects) -> Captions:
    captions: Captions = {}
    for match, content in read_members(path, _CAPTIONS):
        class_number, number = int(match[1]), int(match[2])
        try:
            lines = [line.strip() for line in content.decode("utf-8").strip("\n").split("\n")]
        except UnicodeDecodeError:
            defects.add(f"image_{number:05d}: captions that are not UTF-8")
            continue
        if number in captions:
            defects.add(f"image_{number:05d}: captions in two places")
        captions[number] = (class_number, lines)
    return captions


def _image_table(
    labels: npt.NDArray[np.int64], facts: Oxford102Manifest, val_classes: int, seed: int
) -> pd.DataFrame:
    splits = split_of_classes(
        range(1, facts.counts.classes + 1), facts.test_classes, val_classes, seed
    )
    return pd.DataFrame(
        {
            "name": [f"image_{number:05d}.jpg" for number in range(1, len(labels) + 1)],
            "class_id": labels - 1,
            "class_name": [f"class_{label:05d}" for label in labels],
            # A label out of range is told by the description table.
            "split": [splits.get(int(label), "train") for label in labels],
            "box": None,
        }
    )


def _description_table(
    labels: npt.NDArray[np.int64],
    captions: Captions,
    dropped: list[DroppedCaption],
    facts: Oxford102Manifest,
    defects: Defects,
) -> pd.DataFrame:
    """One row per caption that is not dropped, in the order of pictures and lines."""
    quirks = {(quirk.image, quirk.position): quirk.text for quirk in dropped}
    rows: list[tuple[int, int, str]] = []
    for number, label in enumerate(labels.tolist(), start=1):
        image = f"image_{number:05d}"
        if not 1 <= label <= facts.counts.classes:
            defects.add(f"{image}: label {label} outside 1 to {facts.counts.classes}")
        class_number, lines = captions.pop(number, (label, []))
        if class_number != label:
            defects.add(f"{image}: captions of class {class_number}, label {label}")
        if len(lines) != facts.counts.captions_per_image:
            expected = facts.counts.captions_per_image
            defects.add(f"{image}: {len(lines)} captions instead of {expected}")
        for position, text in enumerate(lines):
            if quirks.get((image, position)) == text:
                del quirks[image, position]
            elif any(map(str.isalnum, text)):
                rows.append((number - 1, position, text))
            else:
                defects.add(f"{image}: caption {position} without words ({text!r})")
    for number in captions:
        defects.add(f"image_{number:05d}: captions of a picture without label")
    for (image, position), text in quirks.items():
        defects.add(f"{image}: caption {position} is not the {text!r} that the manifest drops")
    return pd.DataFrame(rows, columns=["image", "position", "text"]).assign(role="caption")


def _check_counts(
    images: pd.DataFrame, descriptions: pd.DataFrame, counts: Counts, defects: Defects
) -> None:
    splits = images["split"].to_numpy()
    pictures = Counter(splits.tolist())
    utterances = Counter(splits[descriptions["image"].to_numpy()].tolist())
    for what, got, expected in (
        ("classes", images["class_id"].nunique(), counts.classes),
        ("images", pictures.total(), counts.images),
        ("train images", pictures["train"] + pictures["val"], counts.train_images),
        ("test images", pictures["test"], counts.test_images),
        ("utterances", utterances.total(), counts.utterances),
        ("test utterances", utterances["test"], counts.test_utterances),
    ):
        if got != expected:
            defects.add(f"{got} {what} instead of {expected}")


def _sound_pictures(
    paths: Iterable[Path], count: int, defects: Defects, workers: int
) -> Iterator[bytes]:
    """Yield the pictures in the order of their numbers; at the end, tell whatever was wrong."""
    pictures = bar(_in_order(paths, count, defects), f"{KIND} pictures", total=count)
    yield from decodable(pictures, defects, workers)
    defects.raise_any()


def _in_order(paths: Iterable[Path], count: int, defects: Defects) -> Iterator[tuple[str, bytes]]:
    early: dict[int, bytes] = {}  # stays empty where the archives are in order
    seen: set[int] = set()
    due = 1
    for path in paths:
        for match, data in read_members(path, _PICTURE):
            number = int(match[1])
            if number in seen or not 1 <= number <= count:
                problem = "in the archives twice" if number in seen else "without label"
                defects.add(f"image_{number:05d}.jpg: {problem}")
                continue
            seen.add(number)
            early[number] = data
            while due in early:
                yield f"image_{due:05d}.jpg", early.pop(due)
                due += 1
    for number in range(1, count + 1):
        if number not in seen:
            defects.add(f"image_{number:05d}.jpg: missing in the archives")
    for number in sorted(early):
        yield f"image_{number:05d}.jpg", early[number]
