"""Log-mel frames (paper §2.2: 40 bands, 25 ms Hamming window, 10 ms hop)."""

import math
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from s2igan.errors import UserError

# A band without any variation is left at zero instead of being divided by nothing.
_STD_FLOOR = 1e-5


class MelParameters(TypedDict):
    """What ``mel.json`` holds: everything needed to hear as a trained model hears."""

    sample_rate_hz: int
    bands: int
    window: Literal["hamming", "hann"]
    window_ms: float
    hop_ms: float
    log_floor: float
    normalise: Literal["per_band", "none"]


class LogMel:
    """The log-mel front end, ``(n,)`` samples to ``(T, bands)`` frames.

    As in the released code (librosa's defaults): periodic window of ``int(rate * window_ms)``
    samples, as many Fourier frequencies, centred frames with reflected ends, power, Slaney's mel
    filters of unit area from 0 Hz to half the rate, natural logarithm of power + ``log_floor``,
    then zero mean and unit variance per utterance and band. The window is the paper's Hamming where
    the released code has Hann.

    Args:
        sample_rate_hz: rate of the samples, Hz.
        bands: number of mel bands.
        window: shape of the window.
        window_ms: its length, milliseconds.
        hop_ms: step between frames, milliseconds.
        log_floor: added to the power before the logarithm.
        normalise: ``per_band``, or ``none`` to keep the logarithms.

    Raises:
        UserError: if the window or hop is shorter than a sample, or a band is narrower than the
            distance of two Fourier frequencies.
        ValueError: if ``window`` or ``normalise`` is neither of its two words.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        bands: int = 40,
        window: Literal["hamming", "hann"] = "hamming",
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        log_floor: float = 1e-6,
        normalise: Literal["per_band", "none"] = "per_band",
    ) -> None:
        if window not in ("hamming", "hann") or normalise not in ("per_band", "none"):
            raise ValueError(f"window {window!r} and normalise {normalise!r}: one is not known")
        self.parameters = MelParameters(
            sample_rate_hz=sample_rate_hz,
            bands=bands,
            window=window,
            window_ms=window_ms,
            hop_ms=hop_ms,
            log_floor=log_floor,
            normalise=normalise,
        )
        self.window_length = int(sample_rate_hz * window_ms / 1000)
        self.hop_length = int(sample_rate_hz * hop_ms / 1000)
        if self.window_length < 2 or self.hop_length < 1:
            raise UserError(
                "features.mel.window_ms and hop_ms",
                got=f"{window_ms} and {hop_ms} ms at {sample_rate_hz} Hz",
                expected="at least two samples and one",
            )
        self._log_floor = log_floor
        self._normalise = normalise == "per_band"
        self._cosines, self._sines = _folded_fourier(self.window_length)
        self._window = _window(window, self.window_length)
        self._filters = _mel_filters(self.window_length, bands, sample_rate_hz)

    @torch.no_grad()
    def __call__(self, samples: Tensor | npt.NDArray[np.float32]) -> Tensor:
        """Return the frames of one utterance.

        Args:
            samples: ``(n,)`` float32 in [-1, 1], at ``sample_rate_hz``.

        Returns:
            ``(T, bands)`` float32 on the CPU, one frame per hop, the first and the last reaching
            beyond the ends: T is ``1 + n // hop_length``, with ``n - 1`` where the window is odd.

        Raises:
            UserError: if there are fewer samples than the window holds.
        """
        signal = torch.as_tensor(samples, dtype=torch.float32)
        if len(signal) < self.window_length:
            raise UserError(
                "speech",
                got=f"{len(signal)} samples",
                expected=f"at least the {self.window_length} of one window",
            )
        logarithm = torch.log(self._power(signal) @ self._filters + self._log_floor)  # (T, bands)
        if not self._normalise:
            return logarithm
        deviation, mean = torch.std_mean(logarithm, dim=0, correction=0)  # (bands,) each
        return (logarithm - mean) / deviation.clamp_min(_STD_FLOOR)

    def _power(self, signal: Tensor) -> Tensor:
        """Return the power spectrum of every frame, ``(T, window_length // 2 + 1)``."""
        margin = self.window_length // 2
        padded = F.pad(signal[None, None], (margin, margin), mode="reflect")[0, 0]
        frames = padded.unfold(0, self.window_length, self.hop_length) * self._window
        if not self.window_length % 2:
            frames = F.pad(frames, (0, 1))
        # Power needs no phase: with time counted from the middle of the window, the cosines meet
        # the even half of a frame and the sines its odd half, which halves the work of the
        # transform. At 22,050 Hz the window has 551 = 19 * 29 samples, a length at which this is
        # nearly three times as fast as an FFT.
        after = frames[:, margin:]  # (T, margin + 1)
        before = frames[:, : margin + 1].flip(1)
        even, odd = after + before, after - before
        even[:, 0] /= 2
        return (even @ self._cosines).square_() + (odd @ self._sines).square_()


def _window(name: str, length: int) -> Tensor:
    make = torch.hamming_window if name == "hamming" else torch.hann_window
    return make(length, periodic=True, dtype=torch.float64).float()


def _folded_fourier(length: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines, each ``(length // 2 + 1 times, length // 2 + 1 frequencies)``."""
    half = torch.arange(length // 2 + 1, dtype=torch.float64)
    angle = 2 * math.pi / length * torch.outer(half, half)
    return torch.cos(angle).float(), torch.sin(angle).float()


def _mel_filters(window_length: int, bands: int, sample_rate_hz: int) -> Tensor:
    """Return triangles of unit area, evenly spaced in mel, ``(frequencies, bands)``."""
    # torchaudio's melscale_fbanks places the last frequency at half the rate, where an odd window
    # has none.
    frequency = torch.arange(window_length // 2 + 1, dtype=torch.float64)
    frequency *= sample_rate_hz / window_length
    corners = _mel_to_hz(
        torch.linspace(0, _hz_to_mel(sample_rate_hz / 2), bands + 2, dtype=torch.float64)
    )
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]  # (bands,) each
    rising = (frequency[:, None] - low) / (centre - low)  # (frequencies, bands)
    falling = (high - frequency[:, None]) / (high - centre)
    filters = torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)
    if not bool((filters.amax(0) > 0).all()):
        raise UserError(
            "features.mel.bands",
            got=f"{bands}, some of them narrower than the step between Fourier frequencies",
            expected=f"fewer bands or a window longer than {window_length} samples",
        )
    return filters.float()


def _hz_to_mel(frequency: float) -> float:
    """Slaney's scale: linear up to 1 kHz = 15 mel, then 27 mel for every factor of 6.4."""
    if frequency < 1000:
        return 3 * frequency / 200
    return 15 + 27 * math.log(frequency / 1000) / math.log(6.4)


def _mel_to_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
