"""Manifest entries and contents for the tests of this folder."""

import hashlib
import random
from pathlib import Path
from typing import NamedTuple

from s2igan.corpora.manifest import PublishedFile
from tests.corpora.makers import published

CONTENT = random.Random(1).randbytes(3 * 2**20 + 17)


class Usage(NamedTuple):
    """What ``shutil.disk_usage`` returns, in bytes."""

    total: int
    used: int
    free: int


def entry(
    address: str, *mirrors: str, content: bytes = CONTENT, size: int | None = None
) -> PublishedFile:
    """An entry with the checksum of ``content``."""
    checksum = {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}
    facts = published(
        "birds.tgz", address=address, mirrors=[*mirrors], bytes=size, checksum=checksum
    )
    return PublishedFile.model_validate(facts)


def names(folder: Path) -> list[str]:
    """What lies in a folder, locks left out."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")
