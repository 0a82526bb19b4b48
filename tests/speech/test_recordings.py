import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.speech.audio import from_pcm, resample
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.espeak import say
from s2igan.speech.lines import Line
from s2igan.speech.preparation import FRAME_MS, level, prepared, trim_silence
from s2igan.speech.recordings import take_recording

RATE = 16000
FRAME = round(FRAME_MS / 1000 * RATE)
FULL_SCALE = 32767 / 32768
SUBTYPES = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}

Samples = npt.NDArray[np.float32]


def config(**changes: float | None) -> RecordingsConfig:
    """Leaves a recording as it is, but for ``changes``."""
    values: dict[str, Any] = {"trim_db": None, "keep_ms": 0.0, "level_dbfs": None}
    return RecordingsConfig(**{**values, **changes})


def tone(seconds: float, amplitude: float = 0.5, rate: int = RATE, hz: float = 400) -> Samples:
    phase = 2 * np.pi * hz * np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(phase)).astype(np.float32)


def silence(seconds: float, rate: int = RATE) -> Samples:
    return np.zeros(round(seconds * rate), np.float32)


def encoded(samples: npt.NDArray[Any], rate: int = RATE, **form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **{"format": "WAV", "subtype": "FLOAT", **form})
    return file.getvalue()


def rms(pcm: npt.NDArray[np.int16]) -> float:
    return float(np.sqrt(np.square(from_pcm(pcm), dtype=np.float64).mean()))


def test_null_leaves_a_recording_as_it_is() -> None:
    samples = np.concatenate([silence(0.1), tone(0.3), silence(0.2)])
    pcm = take_recording(encoded(samples), RATE, "clip", config())
    np.testing.assert_allclose(from_pcm(pcm), samples, atol=1 / 32768)


def test_a_recording_becomes_16_bits_at_the_wanted_rate() -> None:
    pcm = take_recording(encoded(tone(0.5, rate=44100), 44100), 22050, "clip", config())
    assert (str(pcm.dtype), len(pcm)) == ("int16", 11025)
    assert np.abs(pcm).max() == pytest.approx(0.5 * 32768, rel=0.01)


def test_silence_is_cut_to_the_sample() -> None:
    # Half a second and a third of silence around 0.4 s of tone, all whole frames.
    before, after = 25 * FRAME, 17 * FRAME
    samples = np.concatenate([np.zeros(before), tone(0.4), np.zeros(after)]).astype(np.float32)
    pcm = take_recording(encoded(samples), RATE, "clip", config(trim_db=40.0))
    assert len(pcm) == round(0.4 * RATE)
    np.testing.assert_allclose(from_pcm(pcm), tone(0.4), atol=1 / 32768)


def test_some_silence_may_be_kept_but_none_is_added() -> None:
    samples = np.concatenate([np.zeros(25 * FRAME), tone(0.4), np.zeros(2 * FRAME)])
    pcm = take_recording(encoded(samples), RATE, "clip", config(trim_db=40.0, keep_ms=100.0))
    kept = round(0.1 * RATE)
    assert len(pcm) == kept + round(0.4 * RATE) + 2 * FRAME
    assert not pcm[:kept].any()
    assert pcm[kept + 1] != 0


def test_a_frame_that_speech_begins_in_is_kept_whole() -> None:
    samples = np.concatenate([np.zeros(10 * FRAME + 7), tone(0.4), np.zeros(333)])
    cut = trim_silence(samples.astype(np.float32), 40.0, frame=FRAME, keep=0)
    ends = 10 * FRAME, -(-(10 * FRAME + 7 + len(tone(0.4))) // FRAME) * FRAME
    np.testing.assert_array_equal(cut, samples[slice(*ends)].astype(np.float32))


def test_a_pause_inside_stays() -> None:
    samples = np.concatenate([tone(0.2), silence(0.5), tone(0.2)])
    assert len(trim_silence(samples, 40.0, frame=FRAME, keep=0)) == len(samples)


@pytest.mark.parametrize(("quieter_db", "stays"), [(29.0, True), (31.0, False)])
def test_the_threshold_is_in_decibels_below_the_loudest_frame(
    quieter_db: float, stays: bool
) -> None:
    quiet = tone(0.2, 0.5 * 10 ** (-quieter_db / 20))
    samples = np.concatenate([quiet, tone(0.2)])
    cut = trim_silence(samples, 30.0, frame=FRAME, keep=0)
    assert len(cut) == (len(samples) if stays else len(samples) // 2)


@pytest.mark.parametrize("amplitude", [0.001, 0.05, 0.9])
@pytest.mark.parametrize("dbfs", [-26.0, -14.0])
def test_every_recording_gets_the_same_root_mean_square(amplitude: float, dbfs: float) -> None:
    pcm = take_recording(encoded(tone(0.5, amplitude)), RATE, "clip", config(level_dbfs=dbfs))
    assert 20 * np.log10(rms(pcm)) == pytest.approx(dbfs, abs=0.01)


@pytest.mark.parametrize(("amplitude", "dbfs"), [(0.01, -24.0), (0.15, -19.49), (0.9, -17.0)])
def test_what_a_synthetic_voice_does_not_reach_is_brought_to_the_nearer_end(
    amplitude: float, dbfs: float
) -> None:
    pcm = prepared(tone(0.5, amplitude), RATE, RATE, None)
    assert pcm is not None
    assert 20 * np.log10(rms(pcm)) == pytest.approx(dbfs, abs=0.02)


def test_nothing_is_pushed_over_full_scale() -> None:
    # A click far above the speech: the wanted level would need 40 times full scale.
    samples = tone(0.5, 0.01)
    samples[3000] = -0.8
    levelled = level(samples, -3.0)
    assert np.abs(levelled).max() == pytest.approx(FULL_SCALE, rel=1e-6)
    np.testing.assert_allclose(levelled, samples * (FULL_SCALE / 0.8), rtol=1e-6)
    pcm = take_recording(encoded(samples), RATE, "clip", config(level_dbfs=-3.0))
    assert np.flatnonzero(np.abs(pcm.astype(int)) >= 32767).tolist() == [3000]


@pytest.mark.parametrize("peak", [1.0001, 2.0, 20000.0])
def test_what_exceeds_full_scale_is_turned_down_and_keeps_its_shape(peak: float) -> None:
    samples = tone(0.5, peak)
    pcm = take_recording(encoded(samples), RATE, "clip", config())
    assert np.abs(pcm.astype(int)).max() == 32767
    np.testing.assert_allclose(pcm, samples * (32767 / peak), atol=1)


def test_what_reaches_full_scale_stays_as_it_is() -> None:
    samples = np.tile(np.array([1.0, 0.25, -1.0, -0.25], np.float32), RATE // 4)
    pcm = take_recording(encoded(samples), RATE, "clip", config())
    assert pcm[:4].tolist() == [32767, 8192, -32768, -8192]


def test_a_click_over_full_scale_is_not_clipped_at_a_synthetic_voices_level() -> None:
    samples = tone(0.5, 0.15)  # -19.5 dB: such a voice's own level, which is kept
    samples[3000] = 1.5
    pcm = prepared(samples, RATE, RATE, None)
    assert pcm is not None
    np.testing.assert_allclose(pcm, samples * (32767 / 1.5), atol=1)


def test_silence_is_cut_before_the_level_is_measured() -> None:
    spoken = tone(0.4)
    around = np.concatenate([silence(1.0), spoken, silence(3.0)])
    settings = config(trim_db=40.0, level_dbfs=-26.0)
    alone = take_recording(encoded(spoken), RATE, "clip", settings)
    surrounded = take_recording(encoded(around), RATE, "clip", settings)
    np.testing.assert_allclose(surrounded, alone, atol=1)


def test_a_constant_offset_is_no_sound() -> None:
    spoken = np.concatenate([silence(0.6), tone(0.4, 0.2), silence(0.5)])
    settings = config(trim_db=40.0, level_dbfs=-26.0)
    as_spoken = take_recording(encoded(spoken), RATE, "clip", settings)
    with_offset = take_recording(encoded(spoken + np.float32(0.3)), RATE, "clip", settings)
    np.testing.assert_allclose(with_offset, as_spoken, atol=1)


def test_hiss_that_the_wanted_rate_cannot_hold_is_no_speech() -> None:
    hiss = tone(0.5, 0.5, 48000, 20000)
    samples = np.concatenate([hiss, tone(0.4, 0.5, 48000), hiss])
    pcm = take_recording(encoded(samples, 48000), RATE, "clip", config(trim_db=40.0))
    # A frame at each end may hold the filter's ringing.
    assert 0.4 * RATE <= len(pcm) <= 0.4 * RATE + 3 * FRAME


@pytest.mark.parametrize(
    "samples",
    [
        silence(0.3),
        silence(0.3) + np.float32(0.3),
        1e-5 * tone(0.3),
        np.stack([tone(0.3), -tone(0.3)], axis=1),
    ],
    ids=["zeros", "an offset", "below 16 bits", "channels that cancel"],
)
def test_a_silent_recording_is_an_error(samples: npt.NDArray[np.float32]) -> None:
    for settings in (config(), config(trim_db=40.0, level_dbfs=-26.0)):
        with pytest.raises(UserError, match=r"recording of clip 7; got 0\.3 s of silence"):
            take_recording(encoded(samples), RATE, "clip 7", settings)


def between_silence(seconds: float) -> bytes:
    return encoded(np.concatenate([silence(0.4), tone(seconds), silence(0.4)]))


@pytest.mark.parametrize(("seconds", "keep_ms"), [(0.06, 0.0), (0.04, 5.0)])
def test_the_shortest_sound_between_silence_is_taken(seconds: float, keep_ms: float) -> None:
    settings = config(trim_db=40.0, keep_ms=keep_ms)
    pcm = take_recording(between_silence(seconds), RATE, "clip", settings)
    assert len(pcm) == round((seconds + 2 * keep_ms / 1000) * RATE)


def test_less_sound_between_silence_is_an_error() -> None:
    told = "recording of clip 7; got 40 ms of sound, less than 50 ms, as tts.recordings prepares it"
    with pytest.raises(UserError, match=told):
        take_recording(between_silence(0.04), RATE, "clip 7", config(trim_db=40.0))


@pytest.mark.parametrize(
    ("voice", "text"), [("de", "ein kleiner roter Vogel"), ("sw", "ndege mdogo mwekundu")]
)
@pytest.mark.parametrize(
    ("form", "rate", "channels"),
    [("WAV", 44100, 2), ("FLAC", 48000, 1), ("OGG", 16000, 2), ("MP3", 32000, 2)],
)
def test_speech_of_any_language_format_and_rate_comes_out_alike(
    voice: str, text: str, form: str, rate: int, channels: int
) -> None:
    ((pcm, spoken_hz),) = say([Line(voice, 150, 50, text)], ["clip"])
    spoken = resample(from_pcm(pcm), spoken_hz, rate)
    around = np.concatenate([silence(0.7, rate), 0.2 * spoken, silence(0.4, rate)])
    stereo = np.repeat(around[:, None], channels, axis=1)
    data = encoded(stereo, rate, format=form, subtype=SUBTYPES[form])
    settings = config(trim_db=40.0, keep_ms=50.0, level_dbfs=-26.0)
    taken = take_recording(data, 22050, "clip", settings)
    reference = take_recording(encoded(spoken, rate), 22050, "clip", settings)
    assert len(taken) == pytest.approx(len(reference) + 2 * 0.05 * 22050, abs=0.06 * 22050)
    assert 20 * np.log10(rms(taken)) == pytest.approx(-26, abs=0.01)
