"""Output folders and files that are either whole or absent."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from secrets import token_hex

from s2igan.errors import UserError


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` and rename it to ``path`` once the block succeeds.

    If the block raises, what it wrote is removed and an earlier ``path`` is left as it was. A link
    stays, and what it leads to is replaced. What a killed process left is removed, and what it had
    moved away to replace it is put back.

    Raises:
        UserError: if ``path`` is something else than a folder, or another process is writing it.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise UserError(
            f"folder {str(path)!r}",
            got="a file",
            expected="a folder, or nothing",
            fix="move it away",
        )
    partial = path.with_name(f".{path.name}.partial")
    with _claimed(partial, path):
        _delete_replaced(path)
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        # Deleted where it stands, it would be half a folder for as long as that takes.
        if path.exists():
            path.rename(path.with_name(f".{path.name}.{token_hex(4)}.replaced"))
        partial.rename(path)
        _delete_replaced(path)


def _delete_replaced(path: Path) -> None:
    """Delete what was moved away from ``path``; put it back if nothing took its place."""
    for earlier in path.parent.glob(f".{escape(path.name)}.*.replaced"):
        if path.exists():
            # Others may do so too, for whom the folder in its place is free again.
            shutil.rmtree(earlier, ignore_errors=True)
        else:
            earlier.rename(path)


@contextmanager
def _claimed(partial: Path, path: Path) -> Iterator[None]:
    """Make ``partial`` an empty folder, locked against others that are to write ``path``.

    Nothing is locked on Windows, nor on a file system that has no locks.
    """
    if sys.platform == "win32":
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield
        return
    folder = _locked(partial, path)
    try:
        for left in partial.iterdir():  # by a killed run
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield
    finally:
        os.close(folder)


def _locked(partial: Path, path: Path) -> int:
    """Return the open descriptor of ``partial``, made where it is missing, that holds its lock."""
    import fcntl

    partial.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with suppress(FileExistsError):
            partial.mkdir()
        try:
            folder = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(folder)
            raise UserError(
                f"folder {str(path)!r}",
                got="written by another run right now",
                expected="one run at a time",
                fix="wait for the other run, or end it",
            ) from None
        except OSError:
            pass
        # Another run may have put it in place, or removed it, since it was opened.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(folder), os.stat(partial)):
                return folder
        os.close(folder)


@contextmanager
def fresh_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside ``path`` and rename it to ``path`` once the block succeeds.

    If the block raises, the file is removed and an earlier ``path`` is left as it was. A link is
    replaced, for DVC's lead into its cache. One that somebody left in the place of the unfinished
    file is removed, not followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(exist_ok=False)
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is whole or as it was, see :func:`fresh_file`.

    What is no file, as ``/dev/null``, is written to, and so is what ``/dev/stdout`` leads to.
    """
    if path.is_relative_to("/dev") or (path.exists() and not path.is_file()):
        path.write_bytes(content)
        return
    with fresh_file(path) as partial:
        partial.write_bytes(content)
