import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from s2igan.engine.sound import sound_problem
from tests.corpora.makers import clip
from tests.dropping import dropped_in

RATE = 16000


def encoded(samples: npt.NDArray[np.float64], rate_hz: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()


def said(data: bytes, size: int) -> bytes:
    """A WAV file whose header says another number of bytes of sound."""
    return data[:40] + size.to_bytes(4, "little") + data[44:]


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_a_tone_of_every_format_is_sound(form: str) -> None:
    assert sound_problem(clip(300, format=form)) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "an empty file"),
        (b"not audio at all", "16 bytes that do not decode (Format not recognised.)"),
        (encoded(np.zeros(0)), "no sample"),
        (encoded(np.full(RATE, np.nan)), "samples that are not numbers"),
        (encoded(np.r_[np.ones(RATE), np.inf]), "samples that are not numbers"),
        (encoded(np.full((RATE, 2), (np.inf, -np.inf))), "samples that are not numbers"),
        (encoded(np.full(RATE, 0.3)), "nothing but silence"),
        (encoded(np.tile([0.0, 0.99 / 2**15], RATE)), "nothing but silence"),
        (encoded(np.tile([0.0, 1.01 / 2**15], RATE)), None),
        (clip(300, seconds=0.05), None),
        (clip(300, rate=22050, seconds=0.05), "49.98 ms of sound, less than 50 ms"),
        (clip(300, rate=44100, seconds=0.0001), "0.0907 ms of sound, less than 50 ms"),
        (clip(5, rate=50, seconds=20), "50 samples a second, not 4000 to 384000"),
        (clip(300, rate=4000, seconds=600, format="FLAC"), None),
        (clip(300, rate=4000, seconds=600.0003, format="FLAC"), "more than 10 minutes of sound"),
        (clip(300, seconds=1)[:16044], "16000 bytes of sound of 32000: the file was cut off"),
        (said(clip(300, seconds=1), 32036), None),
        (said(clip(300, seconds=1), 2**31 - 1), None),
        (said(clip(300, seconds=1), 2**32 - 1), None),
    ],
    # A WAV of floats holds the second it was written in, by which the names of tests would differ.
    ids=lambda value: "a file" if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_heard_is_told(data: bytes, problem: str | None) -> None:
    assert sound_problem(data) == problem


def test_a_defect_at_the_end_of_a_long_file_is_found() -> None:
    samples = np.sin(np.arange(200_000.0))
    assert sound_problem(encoded(samples)) is None
    samples[-1] = np.nan
    assert sound_problem(encoded(samples)) == "samples that are not numbers"


def test_a_signal_while_a_recording_is_checked_is_no_defect_of_it() -> None:
    data = clip(300, seconds=10, format="OGG")
    assert dropped_in(lambda: sound_problem(data)) == []
