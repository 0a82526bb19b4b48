"""Caltech-UCSD Birds-200-2011 with Reed et al.'s captions, split by class as the paper does."""

import re
from collections.abc import Iterator
from pathlib import Path

from s2igan.corpora.archives import read_members
from s2igan.corpora.cub_lists import LISTS, read_lists
from s2igan.corpora.defects import Defects
from s2igan.corpora.listing import ListedPicture
from s2igan.corpora.manifest import PublishedFile, read_manifest
from s2igan.corpora.published import Found, build_published
from s2igan.corpora.published_manifest import CorpusManifest, Edition
from s2igan.corpora.task import Task

# Parts, attributes and segmentations lie in the archive too. Names that begin with `._` hold what a
# Mac knows of the file beside them.
_WANTED = re.compile(
    r"(?:^|/)CUB_200_2011/"
    rf"(?:(?P<list>{'|'.join(LISTS)})\.txt|images/(?P<picture>[^/]+/(?!\._)[^/]+\.jpg))$"
)
_CAPTIONS = re.compile(r"(?:^|/)text_c10/(?P<folder>[^/]+)/(?P<picture>(?!\._)[^/]+)\.txt$")


class CubManifest(CorpusManifest[Edition]):
    """``data/cub.yaml``."""


class _Layout:
    kind = "cub"
    captions = _CAPTIONS

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._lists: dict[str, bytes] = {}

    def pictures(self, found: Found) -> Iterator[tuple[str, bytes]]:
        for file in self._edition.photographs:
            for match, data in read_members(found[file.name], _WANTED):
                if match["list"]:
                    self._lists[match["list"]] = data
                else:
                    yield match["picture"], data

    def listed(self, found: Found, defects: Defects) -> list[ListedPicture]:
        del found  # the lists lie among the pictures and have passed with them
        return read_lists(self._lists, defects)


def files_of(edition: str, manifest: Path) -> list[PublishedFile]:
    """Return the archives of an edition.

    Raises:
        UserError: if the manifest is wrong.
    """
    return read_manifest(manifest, CubManifest).editions[edition].files


def build(task: Task) -> None:
    """Build the corpus folder from the archives of one edition.

    Raises:
        UserError: as :func:`published.build_published` does.
    """
    build_published(task, read_manifest(task.manifest, CubManifest), _Layout)
