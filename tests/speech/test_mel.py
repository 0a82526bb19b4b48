import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchaudio

from s2igan.errors import UserError
from s2igan.speech.mel import LogMel

Floats = npt.NDArray[np.float64]


def _speech_like(samples: int) -> npt.NDArray[np.float32]:
    """Noise whose level and colour change over time."""
    rng = np.random.default_rng(0)
    noise = np.convolve(rng.normal(size=samples), [1.0, 0.9, 0.5], "same")
    envelope = 0.5 + 0.5 * np.sin(np.arange(samples) / 900)
    return (0.1 * noise * envelope).astype(np.float32)


def _reference(samples: npt.NDArray[np.float32], rate: int, *, window: str) -> Floats:
    """The front end in float64 from its definitions: explicit frames, FFT, triangle by triangle."""
    length, hop, bands = int(rate * 0.025), int(rate * 0.010), 40
    coefficient = 0.54 if window == "hamming" else 0.5
    phase = 2 * np.pi * np.arange(length) / length
    shape = coefficient - (1 - coefficient) * np.cos(phase)
    padded = np.pad(samples.astype(np.float64), length // 2, mode="reflect")
    starts = range(0, len(padded) - length + 1, hop)
    power = np.array(
        [np.abs(np.fft.rfft(padded[start : start + length] * shape)) ** 2 for start in starts]
    )
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    highest = 15 + 27 * math.log(rate / 2 / 1000) / math.log(6.4)
    mels = [highest * step / (bands + 1) for step in range(bands + 2)]
    corners = [
        m * 200 / 3 if m < 15 else 1000 * math.exp((m - 15) * math.log(6.4) / 27) for m in mels
    ]
    energies = np.zeros((len(power), bands))
    for band in range(bands):
        low, centre, high = corners[band : band + 3]
        for column, frequency in enumerate(frequencies):
            if low < frequency <= centre:
                height = (frequency - low) / (centre - low)
            elif centre < frequency < high:
                height = (high - frequency) / (high - centre)
            else:
                continue
            energies[:, band] += power[:, column] * height * 2 / (high - low)
    logarithm: Floats = np.log(energies + 1e-6)
    return logarithm


@pytest.mark.parametrize("window", ["hamming", "hann"])
@pytest.mark.parametrize("rate", [22050, 16000])
def test_agrees_with_an_independent_computation(window: str, rate: int) -> None:
    samples = _speech_like(9000)
    front = LogMel(sample_rate_hz=rate, window=window, normalise="none")  # type: ignore[arg-type]
    expected = _reference(samples, rate, window=window)
    frames = front(samples)
    assert frames.dtype == torch.float32
    np.testing.assert_allclose(frames.numpy(), expected, atol=2e-3)


def test_agrees_with_torchaudio_where_its_frequencies_are_exact() -> None:
    # With an even window torchaudio's grid of frequencies is that of the transform.
    samples = torch.from_numpy(_speech_like(8000))
    theirs = torchaudio.transforms.MelSpectrogram(
        16000,
        n_fft=400,
        hop_length=160,
        n_mels=40,
        window_fn=torch.hamming_window,
        norm="slaney",
        mel_scale="slaney",
    )(samples)
    ours = LogMel(sample_rate_hz=16000, normalise="none")(samples)
    torch.testing.assert_close(ours, torch.log(theirs.T + 1e-6), atol=2e-3, rtol=0)


def test_paper_sizes_at_22050_hz() -> None:
    front = LogMel(sample_rate_hz=22050)
    assert (front.window_length, front.hop_length) == (551, 220)
    assert front(_speech_like(22050)).shape == (101, 40)


@pytest.mark.parametrize("rate", [22050, 16000])
@pytest.mark.parametrize("samples", [551, 659, 660, 661, 880, 881, 22050])
def test_a_frame_lies_at_every_hop(rate: int, samples: int) -> None:
    front = LogMel(sample_rate_hz=rate)
    last = samples - front.window_length % 2  # an even window is centred between two samples
    assert len(front(_speech_like(samples))) == 1 + last // front.hop_length


def test_every_band_of_an_utterance_has_zero_mean_and_unit_variance() -> None:
    frames = LogMel(sample_rate_hz=22050)(_speech_like(30000)).double()
    torch.testing.assert_close(frames.mean(0), torch.zeros(40).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        frames.var(0, correction=0), torch.ones(40).double(), atol=1e-4, rtol=0
    )


def test_speech_that_hardly_rises_above_the_floor_has_unit_variance() -> None:
    samples = _speech_like(12000) * np.float32(4e-4)
    logarithms = LogMel(sample_rate_hz=22050, normalise="none")(samples)
    assert float(logarithms.std(0).max()) < 0.05
    deviation = LogMel(sample_rate_hz=22050)(samples).std(0)
    torch.testing.assert_close(deviation, torch.ones(40), atol=1e-2, rtol=0)


def test_normalisation_takes_the_level_away_but_for_the_floor() -> None:
    front = LogMel(sample_rate_hz=22050, log_floor=1e-12)
    samples = _speech_like(12000)
    torch.testing.assert_close(front(samples), front(samples * np.float32(0.25)), atol=1e-3, rtol=0)


def test_silence_is_zero_and_not_a_division_by_nothing() -> None:
    frames = LogMel(sample_rate_hz=22050)(np.zeros(5000, np.float32))
    assert not frames.any()


@pytest.mark.parametrize("hz", [300.0, 1000.0, 5000.0])
def test_a_tone_is_loudest_in_its_band(hz: float) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(11025) / 22050).astype(np.float32)
    frames = LogMel(sample_rate_hz=22050, normalise="none")(tone)
    mel = hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)
    step = (15 + 27 * math.log(11.025) / math.log(6.4)) / 41
    # The areas of the filters are equal, so a narrow neighbour may be as loud: one band either way.
    assert abs(int(frames[5:-5].mean(0).argmax()) - (mel / step - 1)) <= 1


def test_parameters_rebuild_the_front_end() -> None:
    front = LogMel(sample_rate_hz=16000, bands=30, window="hann", hop_ms=12.5)
    again = LogMel(**front.parameters)
    samples = _speech_like(4000)
    torch.testing.assert_close(front(samples), again(samples), atol=0, rtol=0)


def test_too_short_speech_is_an_error() -> None:
    with pytest.raises(UserError, match="got 550 samples; expected at least the 551"):
        LogMel(sample_rate_hz=22050)(np.zeros(550, np.float32))


def test_bands_narrower_than_the_spectrum_are_refused() -> None:
    with pytest.raises(UserError, match=r"features\.mel\.bands; got 128"):
        LogMel(sample_rate_hz=22050, bands=128, window_ms=10)


@pytest.mark.parametrize("word", ["window", "normalise"])
def test_a_word_that_means_nothing_is_refused(word: str) -> None:
    arguments: Any = {word: "blackman"}
    with pytest.raises(ValueError, match=f"{word} 'blackman'"):
        LogMel(sample_rate_hz=22050, **arguments)


def test_a_hop_shorter_than_a_sample_is_refused() -> None:
    with pytest.raises(UserError, match="hop_ms"):
        LogMel(sample_rate_hz=22050, hop_ms=0.01)
