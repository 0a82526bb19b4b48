import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchaudio.functional import mu_law_decoding
from torchaudio.transforms import MelSpectrogram

from s2igan.speech.vocoders import BANDS, RATE_HZ, SILENCE, GriffinLimVocoder, WaveRnnVocoder
from tests.speech.voices import small_wavernn


def _random_spectrograms(count: int, frames: int) -> Tensor:
    return torch.randn(count, BANDS, frames, generator=torch.Generator().manual_seed(2)) * 2 - 4


@pytest.mark.parametrize("at_a_time", [2, 60, 1024])
def test_wavernn_draws_what_torchaudio_draws_in_stretches_of_any_length(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2igan.speech.vocoders._FRAMES_AT_A_TIME", at_a_time)
    network = small_wavernn().eval()
    spectrograms, lengths = _random_spectrograms(3, 45), [45, 31, 9]
    with torch.inference_mode(), torch.random.fork_rng([]):
        torch.manual_seed(5)
        heard = WaveRnnVocoder(network)(spectrograms, lengths)
        torch.manual_seed(5)
        decibels = 20 * torch.log10(spectrograms.exp().clamp(min=1e-5))
        drawn, _ = network.infer((-100 - decibels).div(-100).clamp(0, 1))
    # torchaudio's bundle cuts (x + 1) 255 / 2 down to whole numbers; float rounding makes some of
    # them lie just below, so that the bundle is a label off where this is not.
    expected = mu_law_decoding(((drawn[:, 0] + 1) * 255 / 2).round(), 256)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(heard[row], expected[row, : 12 * length], rtol=0, atol=1e-6)
    assert len(heard[0].unique()) > 50


def test_wavernn_hears_the_level_of_silence_as_zero() -> None:
    heard: list[Tensor] = []
    network = small_wavernn()
    network.upsample.register_forward_pre_hook(lambda _, levels: heard.append(levels[0]))
    loud = math.log(10.0)  # +20 dB, above full scale
    spectrogram = torch.tensor([SILENCE, math.log(1e-5) / 2, loud]).repeat(1, BANDS, 1)
    with torch.random.fork_rng([]), torch.inference_mode():
        WaveRnnVocoder(network)(spectrogram, [3])
    expected = [0, 0, 0, 0.5, 1, 0, 0]  # two frames of context on each side
    np.testing.assert_allclose(heard[0][0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("hz", [440, 2000])
def test_griffin_lim_finds_the_tone_again(hz: int) -> None:
    tone = 0.3 * torch.sin(2 * math.pi * hz * torch.arange(RATE_HZ) / RATE_HZ)
    magnitude = MelSpectrogram(
        RATE_HZ,
        n_fft=1024,
        hop_length=256,
        f_max=8000.0,
        n_mels=BANDS,
        power=1,
        norm="slaney",
        mel_scale="slaney",
    )(tone)
    spectrogram = magnitude.clamp(min=1e-5).log()[None]
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        [whole] = GriffinLimVocoder()(spectrogram, [spectrogram.shape[2]])
        [part] = GriffinLimVocoder()(spectrogram, [20])
    assert len(whole) == 256 * (spectrogram.shape[2] - 1)
    assert len(part) == 256 * 19
    spectrum = np.abs(np.fft.rfft(whole.numpy()))
    peak = spectrum.argmax() * RATE_HZ / len(whole)
    assert peak == pytest.approx(hz, abs=RATE_HZ / 1024)
    assert float(whole.square().mean().sqrt()) == pytest.approx(0.3 / math.sqrt(2), rel=0.25)
