"""Shards that outlive a kill: kept outside the output until the output is whole.

A corpus of a hundred thousand sentences takes Tacotron2 hours, and other programs who knows how
long. A shard is kept under a name that its sentences decide, in a folder that everything else
decides which it was made from, so that the next run takes exactly what it would make again: after a
kill, and after a sentence was mended.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from s2igan.engine.checkpoint import open_store
from s2igan.engine.distributed import is_first
from s2igan.speech.shards import Spoken, write_shard


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Let the block keep shards in ``folder``, and delete them once it succeeds.

    The first of several processes locks and deletes; all of them may keep shards, each its own.

    Raises:
        UserError: if another run makes the same shards right now.
    """
    with open_store(folder, readonly=not is_first()) as store:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        store.clear()


def kept_path(folder: Path, shard: int, texts: Iterable[str]) -> Path:
    """Return where the shard of these ``texts`` is kept in ``folder``, or would be."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return folder / f"{shard:05d}-{digest[:32]}.parquet"


def keep(path: Path, spoken: Iterable[Spoken], rate_hz: int) -> None:
    """Write a shard to ``path``, all or nothing."""
    partial = path.with_suffix(".partial")
    write_shard(partial, spoken, rate_hz)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(path)


def place(path: Path, target: Path) -> None:
    """Put a kept shard into an output without a second copy on the disk, where that is possible."""
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, target)
