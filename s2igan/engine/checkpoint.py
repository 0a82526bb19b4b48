"""Checkpoints to resume from: keyed by what they were computed from, locked, written atomically."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2igan.errors import UserError

_WHOLE_FILE_BYTES = 16 * 2**20
_SAMPLE_BYTES = 2**20


class CheckpointStore:
    """One resumable state.

    Args:
        folder: where the state lives; None keeps nothing.
        readonly: never write or delete, as on all ranks but the first.
    """

    def __init__(self, folder: Path | None, *, readonly: bool = False) -> None:
        self._folder = folder
        self._readonly = readonly

    def load(self) -> dict[str, Any] | None:
        """Return the saved state with its tensors on the CPU, or None where there is none."""
        if self._folder is None or not (path := self._folder / "state.pt").is_file():
            return None
        import torch

        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            sys.stderr.write(f"checkpoint {str(path)!r} is unreadable, starting over: {reason}\n")
            return None
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the saved state by tensors, numbers, strings, lists and dicts, all or nothing."""
        if self._folder is None or self._readonly:
            return
        import torch

        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / "state.pt.partial"
        with partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._folder / "state.pt")

    def clear(self) -> None:
        """Delete the saved state."""
        if self._folder is not None and not self._readonly:
            shutil.rmtree(self._folder, ignore_errors=True)


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
