"""Whether the files of a recorded corpus are there and hold what they should."""

import math
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from s2igan.corpora.defects import Defects, picture_problem
from s2igan.engine.progress import bar
from s2igan.engine.sound import UNREADABLE, ForwardSound, rate_problem, unreadable_reason
from s2igan.engine.workers import parallel_map

_AUDIBLE = 1 / 2**15  # what never moves by a step of 16 bits is nothing in them


def find_file(folder: Path, name: str) -> Path | None:
    """Find a file by its name inside ``folder``, however its letters are composed.

    Some systems store ``é`` as one character and others as two; index and folder may come from
    different ones.
    """
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return next((path for form in forms if (path := folder / form).is_file()), None)


def check_pictures(folder: Path, lines: Mapping[str, int], defects: Defects, workers: int) -> None:
    """Decode pictures, noting those that do not decode.

    Args:
        folder: where they lie.
        lines: by their paths inside the folder, the lines that name them; those that are not there
            are passed over.
        defects: where to note them.
        workers: processes that decode; no influence on the result.
    """
    _check(_picture_problem, folder, lines, defects, workers, "recorded pictures")


def check_recordings(
    folder: Path, lines: Mapping[str, int], defects: Defects, workers: int
) -> None:
    """Decode recordings block by block, noting those that nothing can be heard in.

    Args:
        folder: where they lie.
        lines: by their paths inside the folder, the lines that name them; those that are not there
            are passed over.
        defects: where to note them.
        workers: processes that decode; no influence on the result.
    """
    _check(recording_problem, folder, lines, defects, workers, "recordings")


def recording_problem(path: Path) -> str | None:
    """Say why a recording cannot be used, or None.

    Args:
        path: a file that should be WAV, FLAC, OGG, MP3 or any other that libsndfile reads.
    """
    size = path.stat().st_size
    if size == 0:
        return "an empty file"
    low, high = math.inf, -math.inf
    try:
        with ForwardSound(path) as file:
            rate_hz = int(file.samplerate)
            for block in file.forward():
                mono = block.mean(axis=1)  # (frames, channels) -> (frames,)
                if not np.isfinite(mono).all():
                    return "samples that are not numbers"
                low, high = min(low, float(mono.min())), max(high, float(mono.max()))
    except UNREADABLE as error:
        return f"{size} bytes that do not decode ({unreadable_reason(error)})"
    if low > high:
        return "no sample"
    return "nothing but silence" if high - low < _AUDIBLE else rate_problem(rate_hz)


def _picture_problem(path: Path) -> str | None:
    return picture_problem(path.read_bytes())


def _check(
    problem: Callable[[Path], str | None],
    folder: Path,
    lines: Mapping[str, int],
    defects: Defects,
    workers: int,
    what: str,
) -> None:
    found = [(name, path) for name in lines if (path := find_file(folder, name)) is not None]
    told = parallel_map(problem, (path for _, path in bar(found, what)), workers)
    for (name, _), wrong in zip(found, told, strict=True):
        if wrong is not None:
            defects.add_picture(name, f"{wrong} (line {lines[name]})")
