"""From Tacotron2's spectrograms to waveforms: Griffin-Lim and WaveRNN, as torchaudio's bundles.

Source of every constant: ``torchaudio/pipelines/_tts`` (``impl.py`` and ``utils.py``), the bundles
``TACOTRON2_GRIFFINLIM_CHAR_LJSPEECH`` and ``TACOTRON2_WAVERNN_CHAR_LJSPEECH``.
"""

import math
from collections.abc import Iterator
from typing import Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import mu_law_decoding
from torchaudio.models import WaveRNN
from torchaudio.transforms import GriffinLim, InverseMelScale

RATE_HZ: Final = 22050
"""Rate of every waveform here, that of LJSpeech."""

BANDS: Final = 80
"""Mel bands of a spectrogram."""

SILENCE: Final = math.log(1e-5)
"""The natural log of the smallest magnitude in the spectrograms that Tacotron2 learnt from."""

_MIN_LEVEL_DB: Final = -100.0
# Frames of a whole batch upsampled at a time, each to 275 samples of 208 channels: 240 MB.
_FRAMES_AT_A_TIME: Final = 1024


class Vocoder(Protocol):
    """Turns a batch of spectrograms into waveforms at :data:`RATE_HZ`."""

    def __call__(self, spectrograms: Tensor, lengths: list[int]) -> list[Tensor]:
        """Return one waveform ``(n,)`` float32, about [-1, 1], per spectrogram.

        Draws from PyTorch's global generators.

        Args:
            spectrograms: ``(N, BANDS, T)`` float32, natural log of mel magnitudes.
            lengths: frames of each, at most T; longest first.
        """
        ...


class GriffinLimVocoder(nn.Module):
    """Phases found by iteration (Griffin and Lim, 1984): fast, without weights, metallic."""

    def __init__(self) -> None:
        super().__init__()
        self._inverse_mel = InverseMelScale(
            n_stft=1024 // 2 + 1,
            n_mels=BANDS,
            sample_rate=RATE_HZ,
            f_min=0.0,
            f_max=8000.0,
            mel_scale="slaney",
            norm="slaney",
        )
        self._griffin_lim = GriffinLim(n_fft=1024, power=1, hop_length=256, win_length=1024)

    def forward(self, spectrograms: Tensor, lengths: list[int]) -> list[Tensor]:
        """See :class:`Vocoder`."""
        magnitudes = self._inverse_mel(spectrograms.exp())  # (N, 80, T) -> (N, 513, T)
        waveforms = self._griffin_lim(magnitudes)  # (N, 513, T) -> (N, 256 (T - 1))
        hop = self._griffin_lim.hop_length
        return [
            waveform[: hop * (length - 1)]
            for waveform, length in zip(waveforms, lengths, strict=True)
        ]


class WaveRnnVocoder(nn.Module):
    """WaveRNN (Kalchbrenner et al., 2018): sample after sample, each drawn given those before it.

    torchaudio's own ``infer`` upsamples a whole batch first, gigabytes where sentences are long;
    this draws the same samples from a few frames at a time.

    Args:
        network: any WaveRNN of :data:`BANDS` bands; left in evaluation mode.
    """

    def __init__(self, network: WaveRNN) -> None:
        super().__init__()
        self._network = network.eval()

    def forward(self, spectrograms: Tensor, lengths: list[int]) -> list[Tensor]:
        """See :class:`Vocoder`."""
        decibels = 20 * torch.log10(spectrograms.exp().clamp(min=1e-5))
        levels = (1 - decibels / _MIN_LEVEL_DB).clamp(0, 1)
        labels = torch.cat(list(self._sampled(levels)), dim=1)  # (N, T * hop)
        waveforms = mu_law_decoding(labels, self._network.n_classes)
        hop = self._network.hop_length
        return [
            waveform[: hop * length] for waveform, length in zip(waveforms, lengths, strict=True)
        ]

    def _sampled(self, levels: Tensor) -> Iterator[Tensor]:
        """Yield labels ``(N, n)`` of consecutive stretches, given levels ``(N, BANDS, T)``."""
        network = self._network
        count, _, frames = levels.shape
        hidden = levels.new_zeros(2, 1, count, network.n_rnn)
        sample = levels.new_zeros(count, 1)
        # Frames that its convolution hears on either side of one; the upsampling reaches less far.
        context = network.kernel_size // 2
        padded = F.pad(levels, (context, context))
        stretch = max(1, _FRAMES_AT_A_TIME // count)
        for start in range(0, frames, stretch):
            stop = min(start + stretch, frames)
            mel, aux = network.upsample(padded[:, :, start : stop + 2 * context])
            labels = []
            for conditions in torch.cat([mel, aux], dim=1).unbind(2):
                label, hidden = self._draw(sample, conditions, hidden)
                sample = 2 * label.float() / (network.n_classes - 1) - 1
                labels.append(label)
            yield torch.cat(labels, dim=1)

    def _draw(self, sample: Tensor, conditions: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the label ``(N, 1)`` after ``sample`` and return it with the new hidden state."""
        network = self._network
        mel, aux = conditions[:, :BANDS], conditions[:, BANDS:].chunk(4, dim=1)
        x = network.fc(torch.cat([sample, mel, aux[0]], dim=1))
        _, first = network.rnn1(x.unsqueeze(1), hidden[0])
        x = x + first[0]
        _, second = network.rnn2(torch.cat([x, aux[1]], dim=1).unsqueeze(1), hidden[1])
        x = x + second[0]
        x = F.relu(network.fc1(torch.cat([x, aux[2]], dim=1)))
        x = F.relu(network.fc2(torch.cat([x, aux[3]], dim=1)))
        chances = F.softmax(network.fc3(x), dim=1)
        return torch.multinomial(chances, 1), torch.stack([first, second])
