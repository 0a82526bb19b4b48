import io

import numpy as np
import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.speech.audio import decode_audio, encode_flac, from_pcm, resample, to_pcm
from tests.dropping import dropped_in
from tests.sounds import noted_rates, with_length

RATE = 16000


def _tone(
    hz: float, rate: int = RATE, seconds: float = 0.5
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def _file(samples: np.ndarray, rate: int, format_: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format_)
    return buffer.getvalue()


@pytest.mark.parametrize(("format_", "tolerance"), [("WAV", 1e-4), ("FLAC", 1e-4), ("OGG", 0.05)])
def test_decodes_formats(format_: str, tolerance: float) -> None:
    tone = _tone(440)
    samples, rate_hz = decode_audio(_file(tone, RATE, format_), "clip")
    assert (rate_hz, str(samples.dtype)) == (RATE, "float32")
    np.testing.assert_allclose(samples, tone, atol=tolerance)


def test_decodes_mp3() -> None:
    samples, rate_hz = decode_audio(_file(_tone(440), RATE, "MP3"), "clip")
    spectrum = np.abs(np.fft.rfft(samples))
    assert rate_hz == RATE
    assert spectrum.argmax() / len(samples) * RATE == pytest.approx(440, abs=3)


def test_mixes_channels_to_mono() -> None:
    stereo = np.stack([_tone(440), np.zeros_like(_tone(440))], axis=1)
    samples, _ = decode_audio(_file(stereo, RATE, "WAV"), "clip")
    np.testing.assert_allclose(samples, _tone(440) / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"not audio at all", "16 bytes that do not decode"),
        (b"", "0 bytes that do not decode"),
        (_file(np.zeros(0, np.float32), RATE, "WAV"), "a file without a sample"),
        (_file(_tone(440), 20, "WAV"), "20 samples a second, not 4000 to 384000"),
    ],
)
def test_names_what_does_not_decode(data: bytes, got: str) -> None:
    with pytest.raises(UserError, match=f"recording of utterance 5; got {got}"):
        decode_audio(data, "utterance 5")


def test_names_samples_that_are_no_numbers() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(64, np.nan, np.float32), RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(UserError, match="samples that are not numbers"):
        decode_audio(buffer.getvalue(), "clip")


@pytest.mark.parametrize("format_", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_a_signal_while_a_recording_is_decoded_does_not_shorten_it(format_: str) -> None:
    data = _file(_tone(440, seconds=10), RATE, format_)
    assert dropped_in(lambda: decode_audio(data, "clip")) == []


def test_a_signal_while_a_flac_is_encoded_does_not_shorten_it() -> None:
    assert dropped_in(lambda: encode_flac(to_pcm(_tone(440, seconds=10)), RATE)) == []


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_resampling_keeps_a_tone(rate: int) -> None:
    resampled = resample(_tone(440, rate), rate, 22050)
    expected = _tone(440, 22050)
    assert len(resampled) == len(expected)
    inner = slice(500, -500)  # the filter's ends see the silence around the tone
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-3)


def test_resampling_removes_what_the_lower_rate_cannot_hold() -> None:
    assert np.abs(resample(_tone(15000, 48000), 48000, 22050)[500:-500]).max() < 1e-3


@pytest.mark.parametrize("rate", [44056, 11026])
def test_an_odd_rate_takes_neither_long_nor_gigabytes(
    rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = noted_rates(monkeypatch)
    resampled = resample(_tone(440, rate), rate, 22050)
    assert rates
    assert max(rates) <= 2560
    expected = _tone(440, 22050)
    assert len(resampled) == pytest.approx(len(expected), abs=1)
    inner = slice(500, 4000)
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=0.03)  # 0.01 % off the pitch


def test_16_bits_round_and_clip() -> None:
    samples = np.array([0.0, 0.5, -1.0, 1.0, 2.0, -2.0, 0.6 / 32768], np.float32)
    assert to_pcm(samples).tolist() == [0, 16384, -32768, 32767, 32767, -32768, 1]


@pytest.mark.parametrize("length", [0, 2**36 - 1], ids=["unsaid", "far too long"])
def test_a_flac_is_read_whatever_length_its_header_says(length: int) -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32767, 70000).astype(np.int16)
    samples, _ = decode_audio(with_length(encode_flac(pcm, 22050), length), "clip")
    np.testing.assert_array_equal(samples, from_pcm(pcm))


def test_flac_gives_the_samples_back_and_the_same_bytes_twice() -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32767, 5000).astype(np.int16)
    data = encode_flac(pcm, 22050)
    samples, rate_hz = decode_audio(data, "clip")
    assert rate_hz == 22050
    np.testing.assert_array_equal(to_pcm(samples), pcm)
    np.testing.assert_array_equal(samples, from_pcm(pcm))
    assert data == encode_flac(pcm, 22050)
