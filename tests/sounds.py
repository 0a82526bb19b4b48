"""Sound files with headers as other programs write them, and what resampling them takes."""

from typing import Any

import pytest
import torchaudio
from torch import Tensor
from torchaudio.functional import resample


def with_length(flac: bytes, samples: int) -> bytes:
    """Put another number of samples into the header of a FLAC; 0 is what pipes get: unsaid."""
    header = bytearray(flac)
    header[21] = header[21] & 0xF0 | samples >> 32  # the last 36 bits of eight bytes
    header[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(header)


def noted_rates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that receives both rates of every resampling from now on.

    The window grows with their product, over what they have in common.
    """
    rates: list[int] = []

    def noted(samples: Tensor, *both: int, **settings: Any) -> Tensor:
        rates.extend(both)
        resampled: Tensor = resample(samples, *both, **settings)
        return resampled

    monkeypatch.setattr(torchaudio.functional, "resample", noted)
    return rates
