"""What a model hears of a recording: the way that its training speech took."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from s2igan.errors import UserError
from s2igan.serving.recording import Recording
from s2igan.speech.audio import Samples, from_pcm, resample, to_pcm
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.mel import LogMel
from s2igan.speech.recordings import FRAME_MS, level, trim_silence

# Exact for every usual rate; the window of an unusual one would fill gigabytes.
_LARGEST_RATIO = 2560


class Hearing:
    """From a recording to log-mel frames.

    Args:
        mel: the arguments of :class:`~s2igan.speech.mel.LogMel`, as ``mel.json`` holds them.
        recordings: how silence is cut and the level set; None leaves both as they are.
    """

    def __init__(self, mel: Mapping[str, Any], recordings: RecordingsConfig | None) -> None:
        self._log_mel = LogMel(**mel)
        self._recordings = recordings
        self.sample_rate_hz: int = mel["sample_rate_hz"]

    def __call__(self, recording: Recording) -> npt.NDArray[np.float32]:
        """Return ``(F, bands)`` float32.

        Raises:
            UserError: if less than one window of speech is left of it.
        """
        samples = self.prepared(recording)
        if len(samples) < self._log_mel.window_length:
            raise UserError("recording", got=f"{len(samples)} samples of speech", expected="more")
        # The packed features of the training speech are float16.
        frames: npt.NDArray[np.float32] = self._log_mel(samples).to(torch.float16).float().numpy()
        return frames

    def prepared(self, recording: Recording) -> Samples:
        """Return ``(n,)`` float32 at the model's rate, of 16 bits, trimmed and levelled."""
        ratio = Fraction(self.sample_rate_hz, recording.rate_hz).limit_denominator(_LARGEST_RATIO)
        samples = resample(recording.samples, ratio.denominator, ratio.numerator)
        config = self._recordings
        if config is not None and config.trim_db is not None:
            samples = trim_silence(
                samples,
                config.trim_db,
                frame=round(FRAME_MS / 1000 * self.sample_rate_hz),
                keep=round(config.keep_ms / 1000 * self.sample_rate_hz),
            )
        if config is not None and config.level_dbfs is not None:
            samples = level(samples, config.level_dbfs)
        return from_pcm(to_pcm(samples))
