"""One published file, from the first of its addresses that gives the right bytes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from s2igan.corpora.fetching.drive import HOSTS, fetch_from_drive
from s2igan.corpora.fetching.http import HttpSource
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.partial import Partial
from s2igan.corpora.fetching.s3 import S3Source
from s2igan.corpora.fetching.transfer import transfer
from s2igan.corpora.manifest import PublishedFile


def fetch(file: PublishedFile, target: Path) -> None:
    """Fetch ``file`` to ``target``, which appears whole and verified or not at all.

    Several processes may ask for the same file at once: one fetches it, the others wait. A broken
    run leaves ``<name>.part`` beside ``target``, which the next one continues.

    Args:
        file: what to fetch; its addresses are asked in order, but first the one whose bytes a
            broken run has left.
        target: its final name; whatever lies there already is left alone.

    Raises:
        RefusedError: if no address gives the right bytes; says what each address said.
        UserError: if the disk is too full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if target.exists():
            return
        said = []
        partial = Partial(target)
        for address in sorted(file.addresses, key=lambda address: not _has_begun(address, partial)):
            try:
                _fetch_verified(file, address, partial)
                return
            except RefusedError as reason:
                said.append(f"{address} {reason}")
        raise RefusedError("; ".join(said))


def _has_begun(address: str, partial: Partial) -> bool:
    if urlsplit(address).hostname in HOSTS:
        return partial.folder.is_dir() and any(partial.folder.iterdir())
    return partial.remark(address) is not None


def _fetch_verified(file: PublishedFile, address: str, partial: Partial) -> None:
    for last in (False, True):
        _receive(file, address, partial)
        wrong = file.difference(partial.path)
        if wrong is None:
            partial.finish()
            return
        partial.discard()
        if last:
            raise RefusedError(f"gave a file that {wrong}, twice")
        sys.stderr.write(f"{file.name}: {address} gave a file that {wrong}; fetching it again\n")


def _receive(file: PublishedFile, address: str, partial: Partial) -> None:
    parts = urlsplit(address)
    if parts.hostname in HOSTS:
        fetch_from_drive(address, partial, file.name, file.bytes)
    elif parts.scheme == "s3":
        transfer(S3Source(address), partial, file.name, file.bytes)
    else:
        transfer(HttpSource(address), partial, file.name, file.bytes)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(f"{target.name}: waiting for another run that fetches it\n")
        lock.acquire()
    try:
        yield
        # Once the file is there, nobody asks for its lock any more.
        path.unlink(missing_ok=True)
    finally:
        lock.release()
