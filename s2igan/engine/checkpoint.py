"""Checkpoints to resume from: keyed by what they were computed from, locked, written atomically."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Any

from s2igan.errors import UserError

KEPT = 3
"""Checkpoints that stay; one that turns out to be damaged costs the steps since the one before."""

_WHOLE_FILE_BYTES = 16 * 2**20
_SAMPLE_BYTES = 2**20
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{16})\.pt")


class CheckpointStore:
    """The last few states of one training, each in a file that is named by its step and checksum.

    Args:
        folder: where the states live; None keeps nothing.
        readonly: never write or delete, as on all ranks but the first.
    """

    def __init__(self, folder: Path | None, *, readonly: bool = False) -> None:
        self._folder = folder
        self._readonly = readonly

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state with its tensors on the CPU, or None where there is none.

        A damaged one is told on stderr and removed.

        Raises:
            UserError: if one cannot be read just now, which says nothing of what it holds.
        """
        try:
            return self._newest()
        except OSError as error:
            raise UserError(
                f"checkpoint {str(error.filename or self._folder)!r}",
                got=error.strerror or str(error),
                expected="a file that can be read; it was not deleted",
                fix="run again once it can be, or delete it to do without",
            ) from error

    def _newest(self) -> dict[str, Any] | None:
        waiting = self._paths()
        while waiting:
            path = waiting.pop()
            if (problem := _problem(path)) is None:
                import torch

                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            instead = "taking the one before it" if waiting else "starting over"
            sys.stderr.write(f"checkpoint {str(path)!r} is damaged, {instead}: {problem}\n")
            if not self._readonly:
                path.unlink(missing_ok=True)
        return None

    def save(self, state: Mapping[str, Any]) -> None:
        """Add a state of tensors, numbers, strings, lists and dicts, ``step`` among them.

        It is on the disk, whole and under its name, before the oldest one is deleted.
        """
        if self._folder is None or self._readonly:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / "partial"
        try:
            digest = _write(state, partial)
            partial.rename(self._folder / f"step-{state['step']:09d}-{digest}.pt")
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)
        for path in self._paths()[:-KEPT]:
            path.unlink()

    def clear(self) -> None:
        """Delete all states."""
        if self._folder is not None and not self._readonly:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        if self._folder is None or not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.name.split("-")[1]))


def _write(state: Mapping[str, Any], path: Path) -> str:
    import torch

    with path.open("w+b") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
        return _digest(file)


def _problem(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            found = _digest(file)
    except FileNotFoundError:
        return "it is gone"
    return None if path.stem.endswith(found) else "its bytes are not those of its checksum"


def _digest(file: BufferedRandom | BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _sync_folder(folder: Path) -> None:
    # Without this a crash of the machine could forget the new name after the old file is gone.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_store(folder: Path, *, readonly: bool = False) -> Iterator[CheckpointStore]:
    """Yield the store in ``folder``, locked against every other process.

    Raises:
        UserError: if another run computes the same thing right now.
    """
    if readonly:
        yield CheckpointStore(folder, readonly=True)
        return
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"checkpoint {folder.name!r}",
            got="in use by another run of the same stage",
            expected="one run at a time",
            fix="wait for the other run",
        ) from None
    try:
        yield CheckpointStore(folder)
    finally:
        lock.release()


def checkpoint_key(parameters: str, inputs: Iterable[Path], sources: Iterable[Path]) -> str:
    """Hash what a stage computes from: its parameters, its input files and its source files.

    Args:
        parameters: the stage's section as text.
        inputs: files, or folders whose files count; one that is missing counts as such.
        sources: the Python files of the stage's import closure.

    Returns:
        32 hexadecimal digits. Small files count with every byte, large ones with their size, their
        first and their last MiB.
    """
    digest = hashlib.sha256(parameters.encode())
    for path in inputs:
        for file in _files(path):
            digest.update(f"\0{file.relative_to(path.parent)}\0".encode())
            _feed(digest, file)
    for path in sorted(sources):
        digest.update(f"\0{path.name}\0".encode())
        _feed(digest, path)
    return digest.hexdigest()[:32]


def _files(path: Path) -> list[Path]:
    return sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]


def _feed(digest: "hashlib._Hash", path: Path) -> None:
    if not path.is_file():
        digest.update(b"absent")
        return
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        if size <= _WHOLE_FILE_BYTES:
            digest.update(file.read())
        else:
            digest.update(file.read(_SAMPLE_BYTES))
            file.seek(-_SAMPLE_BYTES, os.SEEK_END)
            digest.update(file.read())
