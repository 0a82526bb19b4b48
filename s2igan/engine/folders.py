"""Output folders and files that are either whole or absent."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2igan.errors import UserError


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` and rename it to ``path`` once the block succeeds.

    If the block raises, what it wrote is removed and an earlier ``path`` is left as it was. A link
    stays, and what it leads to is replaced.

    Raises:
        UserError: if ``path`` is something else than a folder.
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
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)


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
