"""What a model hears: its own corpus as it was, a person as near to it as can be."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.serving.hearing import Hearing
from s2igan.serving.recording import Recording, check_recording
from s2igan.speech.audio import from_pcm, resample, to_pcm
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.mel import LogMel
from s2igan.speech.preparation import SYNTHETIC_DBFS, centred
from s2igan.speech.recordings import take_recording
from tests.serving.makers import MEL, RATE, babble
from tests.sounds import noted_rates

SPOKEN = from_pcm(to_pcm(babble(3)))


def hear(samples: npt.NDArray[np.float32], rate_hz: int = RATE, **recordings: Any) -> Any:
    config = RecordingsConfig(**recordings) if recordings else None
    return Hearing(MEL, config)(Recording(samples, rate_hz))


def rms_dbfs(samples: npt.NDArray[np.float32]) -> float:
    return 10 * float(np.log10(np.square(samples, dtype=np.float64).mean()))


def test_what_a_synthetic_voice_says_is_heard_as_in_training() -> None:
    as_packed = LogMel(**MEL)(SPOKEN).numpy().astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(hear(SPOKEN), as_packed)


@pytest.mark.parametrize("decibels", [-35.0, -12.0, 12.0])
def test_a_quiet_or_loud_recording_is_brought_to_the_voices_level(decibels: float) -> None:
    # Loud ones may not exceed full scale: the babble leaves room.
    samples = babble(3, dbfs=-22.0) * np.float32(10 ** (decibels / 20))
    prepared = Hearing(MEL, None).prepared(Recording(samples, RATE))
    low, high = SYNTHETIC_DBFS
    assert low - 0.1 <= rms_dbfs(prepared) <= high + 0.1
    quiet = LogMel(**MEL)(from_pcm(to_pcm(samples))).numpy()
    reference = hear(babble(3, dbfs=-22.0))
    if decibels == -35.0:  # unprepared, the floor of the logarithm drowns a third of it
        assert np.abs(quiet - reference).mean() > 5 * np.abs(hear(samples) - reference).mean()


def test_silence_at_both_ends_is_cut() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 1e-4
    surrounded = np.concatenate([noise, babble(3), noise])
    assert len(hear(surrounded)) == pytest.approx(len(hear(babble(3))) + 20, abs=3)


@pytest.mark.parametrize("offset", [0.1, -0.1])
@pytest.mark.parametrize("level_dbfs", [None, -26.0], ids=["synthetic voice", "recorded"])
def test_a_microphones_constant_offset_is_not_heard(
    level_dbfs: float | None, offset: float
) -> None:
    quiet = np.concatenate([np.zeros(RATE, np.float32), babble(3, dbfs=-40.0)])
    recorded: dict[str, Any] = {}
    if level_dbfs is not None:
        recorded = {"trim_db": 40.0, "keep_ms": 100.0, "level_dbfs": level_dbfs}
    heard, reference = hear(quiet + np.float32(offset), **recorded), hear(quiet, **recorded)
    assert len(heard) == len(reference)
    assert np.abs(heard - reference).mean() < 0.02


def test_recordings_are_heard_as_those_of_the_corpus_were() -> None:
    file = io.BytesIO()
    samples = np.concatenate([np.zeros(RATE // 2, np.float32), babble(4)]) + np.float32(0.05)
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    config = RecordingsConfig(trim_db=40.0, keep_ms=100.0, level_dbfs=-26.0)
    pcm = take_recording(file.getvalue(), RATE, "clip", config)
    prepared = Hearing(MEL, config).prepared(Recording(samples, RATE))
    np.testing.assert_array_equal(to_pcm(prepared), pcm)


def test_recordings_stay_as_they_are_where_those_of_the_corpus_did() -> None:
    samples = np.concatenate([np.zeros(RATE // 2, np.float32), babble(4, dbfs=-50.0)])
    untouched: dict[str, Any] = {"trim_db": None, "keep_ms": 0.0, "level_dbfs": None}
    expected = LogMel(**MEL)(from_pcm(to_pcm(centred(samples)))).numpy()
    np.testing.assert_allclose(hear(samples, **untouched), expected, atol=2e-2)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 192000])
def test_the_rate_of_a_recording_does_not_matter(rate_hz: int) -> None:
    original = babble(5)
    elsewhere = resample(original, RATE, rate_hz)
    heard, reference = hear(elsewhere, rate_hz), hear(original)
    assert len(heard) == pytest.approx(len(reference), abs=1)
    frames = min(len(heard), len(reference))
    # At 8 kHz there is nothing above 4 kHz.
    bands = 12 if rate_hz == 8000 else 20
    difference = np.abs(heard[:frames, :bands] - reference[:frames, :bands])
    assert np.median(difference) < 0.1


def test_an_odd_rate_takes_neither_long_nor_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = noted_rates(monkeypatch)
    heard = hear(babble(5, rate_hz=44101), 44101)
    assert len(heard) == pytest.approx(151, abs=2)
    assert rates
    assert max(rates) <= 2560


def test_what_lies_above_the_models_rate_is_silence() -> None:
    times = np.arange(96000) / 96000
    # It fades in and out: a sudden edge would be heard.
    ultrasound = (np.hanning(96000) * np.sin(2 * np.pi * 30000 * times)).astype(np.float32)
    with pytest.raises(UserError, match=r"recording 'bats\.wav'; got silence at 16000 Hz"):
        Hearing(MEL, None)(check_recording(ultrasound, 96000, "bats.wav"))


def test_a_click_is_no_speech() -> None:
    click = np.zeros(RATE, np.float32)
    click[500] = 1
    with pytest.raises(UserError, match="20 ms of sound"):
        hear(click, trim_db=40.0, keep_ms=0.0, level_dbfs=-26.0)
