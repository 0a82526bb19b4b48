"""Sound files read forward, whatever their headers say of their length.

soundfile asks a file for its length and, after every block, for its place in it. A FLAC that was
written to a pipe says no length, and libsndfile cannot seek to the end of one; a damaged header
says a wrong one, for which memory would be taken.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

RATES_HZ = (4000, 384000)
"""Sampling rates that are taken, lowest and highest, Hz."""

UNREADABLE = (RuntimeError, TypeError)
"""What soundfile raises of bytes that are no sound; TypeError, of a file named ``.raw``."""

_BLOCK = 2**16
_LENGTHS = 2**62  # an unsaid length is the largest of libsndfile's integers


class ForwardSound(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from its beginning on, never from elsewhere."""

    def seekable(self) -> bool:
        """Keep soundfile from seeking and from asking for the length."""
        return False

    @property
    def says_length(self) -> bool:
        """Whether ``frames`` is a length."""
        return bool(self.frames < _LENGTHS)

    def forward(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield ``(n, channels)`` float32 block by block, to the end of the file."""
        while len(block := self.read(_BLOCK, dtype="float32", always_2d=True)):
            yield block


def unreadable_reason(error: Exception) -> str:
    """Say why soundfile does not decode a file, without the name of the file."""
    return str(getattr(error, "error_string", error))


def rate_problem(rate_hz: int) -> str | None:
    """Say why a sampling rate is none of sound, or None."""
    low, high = RATES_HZ
    return None if low <= rate_hz <= high else f"{rate_hz} samples a second, not {low} to {high}"
