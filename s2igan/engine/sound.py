"""Sound files read forward and known by their bytes, whatever their headers and names say.

soundfile asks a file for its length and, after every block, for its place in it. A FLAC that was
written to a pipe says no length, and libsndfile cannot seek to the end of one; a damaged header
says a wrong one, for which memory would be taken.

A name misleads as well: by some extensions libsndfile decodes bytes that are no sound, and of a
``.raw`` soundfile asks for the rate. So files are opened by their number, and bytes put into one.
"""

import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import numpy.typing as npt
import soundfile

RATES_HZ = (4000, 384000)
"""Sampling rates that are taken, lowest and highest, Hz."""

SHORTEST_S = 0.05
"""Seconds of sound below which nothing is said; the usual window of the log-mel is half of it."""

LONGEST_S = 600
"""Seconds of sound above which nothing is a description; what decodes it whole takes memory."""

_AUDIBLE = 1 / 2**15  # what never moves by a step of 16 bits is nothing in them
_BLOCK = 2**16
_LENGTHS = 2**62  # an unsaid length is the largest of libsndfile's integers
_CUT = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)  # of WAV, libsndfile
_HEADER = 128  # bytes
_UNSAID = 2**30  # bytes; what writes to a pipe puts 2 GiB or more where it knows no length


class ForwardSound(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from its beginning on, never from elsewhere."""

    def seekable(self) -> bool:
        """Keep soundfile from seeking and from asking for the length."""
        return False

    @property
    def says_length(self) -> bool:
        """Whether ``frames`` is a length."""
        return bool(self.frames < _LENGTHS)

    @property
    def cut(self) -> str | None:
        """How many bytes of sound a WAV file says and holds, if a part of them is missing."""
        if (found := _CUT.search(self.extra_info)) is None:
            return None
        said, held = map(int, found.groups())
        # Some writers count their header, too.
        return f"{held} bytes of sound of {said}" if held + _HEADER < said < _UNSAID else None

    def forward(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield ``(n, channels)`` float32 block by block, to the end of the file."""
        while len(block := self.read(_BLOCK, dtype="float32", always_2d=True)):
            yield block


@contextmanager
def unnamed_file(data: bytes = b"") -> Iterator[IO[bytes]]:
    """Yield a file of these bytes that has no name, in memory where the system has such files.

    From and to a Python file, libsndfile would read and write by calling back into Python. What is
    raised there, as by a signal, is dropped, and a read that it ended counts as the end of the
    sound.
    """
    with (
        open(os.memfd_create("sound"), "w+b")
        if hasattr(os, "memfd_create")
        else tempfile.TemporaryFile() as file
    ):
        file.write(data)
        file.seek(0)
        yield file


def sound_problem(data: bytes) -> str | None:
    """Decode a recording block by block and say why it cannot be used, or None.

    Args:
        data: bytes of what should be a WAV, FLAC, OGG or MP3 file, or any other that libsndfile
            reads.
    """
    if not data:
        return "an empty file"
    length, low, high = 0, math.inf, -math.inf
    try:
        with unnamed_file(data) as opened, ForwardSound(opened.fileno(), closefd=False) as file:
            rate_hz, cut = int(file.samplerate), file.cut
            if problem := rate_problem(rate_hz):
                return problem
            for block in file.forward():
                with np.errstate(over="ignore", invalid="ignore"):  # told below
                    mono = block.mean(axis=1)  # (frames, channels) -> (frames,)
                if not np.isfinite(mono).all():
                    return "samples that are not numbers"
                low, high = min(low, float(mono.min())), max(high, float(mono.max()))
                length += len(mono)
                if length > LONGEST_S * rate_hz:
                    return f"more than {LONGEST_S // 60} minutes of sound"
    except soundfile.LibsndfileError as error:
        return undecoded(data, error)
    if not length:
        return "no sample"
    if problem := length_problem(length, rate_hz):
        return problem
    if cut is not None:
        return f"{cut}: the file was cut off"
    return "nothing but silence" if high - low < _AUDIBLE else None


def undecoded(data: bytes, error: soundfile.LibsndfileError) -> str:
    """Say that bytes do not decode, and why."""
    return f"{len(data)} bytes that do not decode ({error.error_string})"


def rate_problem(rate_hz: int) -> str | None:
    """Say why a sampling rate is none of sound, or None."""
    low, high = RATES_HZ
    return None if low <= rate_hz <= high else f"{rate_hz} samples a second, not {low} to {high}"


def length_problem(length: int, rate_hz: int) -> str | None:
    """Say why so many samples are too few of a description, or None."""
    if length >= SHORTEST_S * rate_hz:
        return None
    return f"{1000 * length / rate_hz:.4g} ms of sound, less than {1000 * SHORTEST_S:.0f} ms"
