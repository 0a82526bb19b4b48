"""What visitors of the page leave on this machine: where it lies, and how it goes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

_PARENT = "GRADIO_TEMP_DIR"


@contextmanager
def visitors_folder() -> Iterator[Path]:
    """Yield a folder for what visitors send, readable by this user alone; delete it at the end.

    Gradio, if it is imported and launched inside, writes nowhere else. It knows only of uploads
    that were complete, and so could not delete the others itself.
    """
    named = os.environ.get(_PARENT)
    if named:
        Path(named).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="s2igan-page-", dir=named or None) as folder:
        os.environ[_PARENT] = folder
        try:
            yield Path(folder)
        finally:
            os.environ[_PARENT] = named or ""  # which gradio takes for none


def delete_older(folder: Path, seconds: float) -> None:
    """Delete the files of a folder that nothing was written to for so long."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # gradio may move it meanwhile
            if path.is_file() and time.time() - path.stat().st_mtime > seconds:
                path.unlink()


def remember_no_values() -> None:
    """Keep Gradio from holding what each visitor's page shows for as long as the page runs.

    It would do so for links to the state of a page, which this one has none of.
    """
    from gradio.state_holder import SessionState

    SessionState._update_value_in_config = lambda *_: None  # type: ignore[method-assign]
