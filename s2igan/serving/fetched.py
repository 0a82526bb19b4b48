"""Folders of models that were fetched from elsewhere."""

from collections.abc import Callable
from pathlib import Path

from s2igan.engine.folders import fresh_folder


def fetched(folder: Path, fetch: Callable[[Path], None], *, anew: bool = False) -> Path:
    """Return a folder, filled first unless it is there.

    Of commands that want it at once the first one fetches and the others wait; with ``anew`` each
    fetches in its turn.

    Args:
        folder: where it is kept.
        fetch: fills an empty folder.
        anew: fetch it although it is there.
    """
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if anew or not folder.is_dir():
            with fresh_folder(folder) as partial:
                fetch(partial)
    return folder
