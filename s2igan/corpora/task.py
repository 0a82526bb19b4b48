"""What a corpus is built from, whatever its kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s2igan.corpora.archives import Archives


@dataclass(frozen=True)
class Task:
    """What to build and where from.

    Attributes:
        manifest: the manifest's file; a recorded corpus has none.
        edition: a key of its editions, or the name of a prepared folder.
        archives: where published files and prepared folders lie.
        seed: draws whatever the corpus draws.
        val_classes: how many classes are drawn for validation.
        test_share: share of the classes that become test where a prepared folder names no splits.
        on_broken: whether a broken picture stops or is left out.
        out: the corpus folder to (re)place.
        workers: processes that draw, or check files; no influence on the result.
    """

    manifest: Path
    edition: str
    archives: Archives
    seed: int
    val_classes: int
    test_share: float
    on_broken: Literal["stop", "skip"]
    out: Path
    workers: int
