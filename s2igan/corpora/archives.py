"""Published files: found on this machine or fetched, verified, and read in a stream."""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.partial import Partial
from s2igan.corpora.fetching.space import require_space
from s2igan.corpora.manifest import PublishedFile
from s2igan.errors import UserError

_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Archives:
    """Where published files and prepared folders lie on this machine.

    Attributes:
        folders: looked through in this order; none of them needs to exist.
        store: where fetched files go; looked through last unless it is among ``folders``.
    """

    folders: tuple[Path, ...]
    store: Path

    def find(self, kind: str, name: str) -> Path | None:
        """Return ``<folder>/<kind>/<name>`` or ``<folder>/<name>``, a file or folder, or None."""
        places = (
            place
            for folder in (*self.folders, self.store)
            for place in (folder / kind / name, folder / name)
        )
        return next((place for place in places if place.exists()), None)


def locate(files: Sequence[PublishedFile], kind: str, archives: Archives) -> dict[str, Path]:
    """Find ``files`` in the archives, else fetch them into the store, and verify each.

    A wrong file that lies in the archives is never overwritten.

    Args:
        files: what to find.
        kind: name of the corpus, or ``weights``.
        archives: where to look, and where to keep what is fetched.

    Returns:
        Path of every file, by its name.

    Raises:
        UserError: naming all files whose size or checksum is wrong; or all that are missing and
            published nowhere, before anything is fetched; or all that could not be fetched, with
            what each address said; or if the disk is too full.
    """
    found = {file.name: archives.find(kind, file.name) for file in files}
    paths = {name: path for name, path in found.items() if path is not None}
    _refuse_wrong(kind, files, paths)
    missing = [file for file in files if file.name not in paths]
    if missing:
        refuse_unpublished(missing, kind, archives)
        paths |= _fetch_all(kind, missing, archives.store / kind)
    return {file.name: paths[file.name] for file in files}


def refuse_unpublished(files: Sequence[PublishedFile], kind: str, archives: Archives) -> None:
    """Refuse files that can neither be found nor be fetched, while nothing has been fetched.

    Raises:
        UserError: naming all that are missing, if one of them is published nowhere.
    """
    missing = [file for file in files if archives.find(kind, file.name) is None]
    if any(not file.addresses for file in missing):
        raise UserError(
            f"archives of {kind}: missing, and not all can be fetched",
            fix=f"put into {str(archives.store / kind)!r}: {'; '.join(map(_wanted, missing))}",
        )


def read_members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[re.Match[str], bytes]]:
    """Yield name and content of the files in a tar archive, plain or gzip, in its order.

    Nothing is extracted to disk, so no name or link can lead anywhere.

    Args:
        path: the archive.
        wanted: searched for in each member's name; others are passed over unread.

    Raises:
        UserError: if the archive is truncated or no tar.
    """
    try:
        with _open_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                match = wanted.search(member.name)
                if match and member.isfile() and (content := archive.extractfile(member)):
                    yield match, content.read()
            # Behind the last member lies what tells a whole gzip file from a truncated one.
            while stream.read(_CHUNK_BYTES):
                pass
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise UserError(
            f"archive {str(path)!r}",
            got=" ".join(str(error).split()) or type(error).__name__,
            expected="a whole tar archive",
            fix="fetch it again",
        ) from error


def _open_stream(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rb") if compressed else path.open("rb")


def _refuse_wrong(kind: str, files: Sequence[PublishedFile], paths: dict[str, Path]) -> None:
    wrong = [
        f"{str(paths[file.name])!r} {difference}"
        for file in files
        if file.name in paths and (difference := file.difference(paths[file.name]))
    ]
    if wrong:
        raise UserError(
            f"archives of {kind}",
            got=", and ".join(wrong),
            fix="nothing is overwritten: remove each, or put the published file in its place",
        )


def _fetch_all(kind: str, missing: list[PublishedFile], folder: Path) -> dict[str, Path]:
    """Fetch whatever can be had, so that a refusal costs nothing but its own file."""
    arrived = sum(Partial(folder / file.name).size for file in missing)
    require_space(folder, sum(file.bytes or 0 for file in missing) - arrived)
    refused = []
    for file in missing:
        try:
            fetch(file, folder / file.name)
        except RefusedError as reason:
            refused.append(f"{file.name}: {reason}")
    if refused:
        raise UserError(
            f"archives of {kind}: not fetched",
            got="; ".join(refused),
            fix=f"try again later, or get each by hand and put it into {str(folder)!r}",
        )
    paths = {file.name: folder / file.name for file in missing}
    _refuse_wrong(kind, missing, paths)
    return paths


def _wanted(file: PublishedFile) -> str:
    details = [text for text in (*file.addresses, file.note) if text]
    return f"{file.name} ({', '.join(details)})"
