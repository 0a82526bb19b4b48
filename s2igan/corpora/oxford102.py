"""The Oxford 102 flowers with Reed et al.'s captions, split by class as the paper does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from s2igan.corpora.archives import read_members
from s2igan.corpora.defects import Defects
from s2igan.corpora.listing import ListedPicture
from s2igan.corpora.manifest import PublishedFile, read_manifest
from s2igan.corpora.published import Found, build_published
from s2igan.corpora.published_manifest import CorpusManifest, Edition
from s2igan.corpora.task import Task
from s2igan.errors import UserError

# The published archives hold other material too, in places above these.
_PICTURE = re.compile(r"(?:^|/)jpg/(?P<name>image_\d{5}\.jpg)$")
_CAPTIONS = re.compile(r"(?:^|/)text_c10/(?P<folder>class_\d{5})/(?P<picture>image_\d{5})\.txt$")


class Oxford102Edition(Edition):
    """The archives of one edition."""

    labels: PublishedFile

    @property
    def files(self) -> list[PublishedFile]:
        """All archives."""
        return [*self.photographs, self.labels, self.captions]


class Oxford102Manifest(CorpusManifest[Oxford102Edition]):
    """``data/oxford102.yaml``; the authors' speech goes with every edition."""

    authors_speech: PublishedFile


class _Layout:
    kind = "oxford102"
    captions = _CAPTIONS

    def __init__(self, edition: Oxford102Edition) -> None:
        self._edition = edition

    def pictures(self, found: Found) -> Iterator[tuple[str, bytes]]:
        for file in self._edition.photographs:
            for match, data in read_members(found[file.name], _PICTURE):
                yield match["name"], data

    def listed(self, found: Found, defects: Defects) -> list[ListedPicture]:
        del defects  # a label out of range is told with those of any corpus
        labels = _read_labels(found[self._edition.labels.name])
        return [
            ListedPicture(f"image_{number:05d}.jpg", label, f"class_{label:05d}")
            for number, label in enumerate(labels.tolist(), start=1)
        ]


def files_of(edition: str, manifest: Path, *, authors_speech: bool) -> list[PublishedFile]:
    """Return the archives of an edition, and the recordings if they join its captions.

    Raises:
        UserError: if the manifest is wrong.
    """
    facts = read_manifest(manifest, Oxford102Manifest)
    speech = [facts.authors_speech] if authors_speech else []
    return [*facts.editions[edition].files, *speech]


def build(task: Task, *, authors_speech: bool) -> None:
    """Build the corpus folder from the archives of one edition.

    Args:
        task: what to build and where from.
        authors_speech: whether the recordings that the paper's authors published join the captions.

    Raises:
        UserError: as :func:`published.build_published` does; or if the labels cannot be read.
    """
    facts = read_manifest(task.manifest, Oxford102Manifest)
    build_published(task, facts, _Layout, facts.authors_speech if authors_speech else None)


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
