"""Published files on this machine: found, verified, and read in a stream."""

import gzip
import hashlib
import io
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from s2igan.corpora.manifest import PublishedFile
from s2igan.errors import UserError

SPARE_BYTES = 64 * 2**20
"""Disk space that stays free for tables and for the rest of the machine."""

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
    """Find ``files`` in the archives and verify each.

    Args:
        files: what to find.
        kind: name of the corpus, or ``weights``.
        archives: where to look.

    Returns:
        Path of every file, by its name.

    Raises:
        UserError: naming all files that are missing and where they are published, or all whose size
            or checksum is wrong.
    """
    found = {file.name: archives.find(kind, file.name) for file in files}
    if missing := [file for file in files if found[file.name] is None]:
        raise UserError(
            f"archives of {kind}: missing",
            fix=f"put into {str(archives.store / kind)!r}: {'; '.join(map(_wanted, missing))}",
        )
    paths = {name: path for name, path in found.items() if path is not None}
    if wrong := [text for file in files if (text := _difference(file, paths[file.name]))]:
        raise UserError(
            f"archives of {kind}",
            got="; ".join(wrong),
            fix="fetch each again from where it is published",
        )
    return paths


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file in hexadecimal, reading it in a stream."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def read_members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[re.Match[str], bytes]]:
    """Yield name and content of the files in a tar archive, plain or gzip, in its order.

    Nothing is extracted to disk.

    Args:
        path: the archive.
        wanted: searched for in each file's name; files without it are passed over unread.

    Raises:
        UserError: if the archive is truncated or no tar, or holds a link, a device or a name that
            leaves the folder.
    """
    try:
        with _open_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                _refuse_unsafe(path, member)
                match = wanted.search(member.name) if member.isfile() else None
                content = archive.extractfile(member) if match else None
                if match and content:
                    yield match, content.read()
            # Behind the last member lies what tells a whole gzip file from a truncated one.
            while stream.read(_CHUNK_BYTES):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"archive {str(path)!r}",
            got=" ".join(str(error).split()) or type(error).__name__,
            expected="a whole tar archive",
            fix="fetch it again",
        ) from error


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin where the disk cannot hold the result.

    Args:
        folder: where to write; it need not exist yet.
        needed: bytes to be written.

    Raises:
        UserError: if fewer bytes are free.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + SPARE_BYTES:
        raise UserError(
            f"disk of {str(folder)!r}",
            got=f"{free / 2**20:.0f} MiB free",
            expected=f"at least {(needed + SPARE_BYTES) / 2**20:.0f} MiB",
            fix="free some space",
        )


def _open_stream(path: Path) -> gzip.GzipFile | io.BufferedReader:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rb") if compressed else path.open("rb")


def _wanted(file: PublishedFile) -> str:
    details = [text for text in (file.address, *file.mirrors, file.note) if text]
    return f"{file.name} ({', '.join(details)})"


def _difference(file: PublishedFile, path: Path) -> str | None:
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"{str(path)!r} has {size} bytes instead of {file.bytes}"
    if file.checksum is not None:
        value = digest(path, file.checksum.algorithm)
        if value != file.checksum.value:
            algorithm = file.checksum.algorithm
            return f"{str(path)!r} has {algorithm} {value} instead of {file.checksum.value}"
    return None


def _refuse_unsafe(path: Path, member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        kind = "a name that leaves the folder"
    elif member.isfile() or member.isdir():
        return
    else:
        kind = "a link" if member.issym() or member.islnk() else "a device"
    raise UserError(
        f"archive {str(path)!r}, member {member.name!r}",
        got=kind,
        expected="files and folders only",
        fix="fetch the archive from where it is published",
    )
