"""What a model hears of a recording: the way that its training speech took."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from s2igan.errors import UserError
from s2igan.serving.recording import Recording
from s2igan.speech.audio import Samples, from_pcm
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.mel import LogMel
from s2igan.speech.preparation import prepared


class Hearing:
    """From a recording to log-mel frames.

    Args:
        mel: the arguments of :class:`~s2igan.speech.mel.LogMel`, as ``mel.json`` holds them.
        recordings: how the training recordings were cut and levelled; None if a synthetic voice
            spoke.
    """

    def __init__(self, mel: Mapping[str, Any], recordings: RecordingsConfig | None) -> None:
        self._log_mel = LogMel(**mel)
        self._recordings = recordings
        self.sample_rate_hz: int = mel["sample_rate_hz"]

    def __call__(self, recording: Recording) -> npt.NDArray[np.float32]:
        """Return ``(F, bands)`` float32.

        Raises:
            UserError: if nothing that the model can hear is in it.
        """
        samples = self.prepared(recording)
        if len(samples) < self._log_mel.window_length:
            milliseconds = len(samples) / self.sample_rate_hz * 1000
            raise _nothing_heard(recording, f"{milliseconds:.0f} ms of sound")
        # The packed features of the training speech are float16.
        frames: npt.NDArray[np.float32] = self._log_mel(samples).to(torch.float16).float().numpy()
        return frames

    def prepared(self, recording: Recording) -> Samples:
        """Return ``(n,)`` float32 at the model's rate, of 16 bits, centred, trimmed and levelled.

        Raises:
            UserError: if all of it lies above what that rate can carry.
        """
        pcm = prepared(recording.samples, recording.rate_hz, self.sample_rate_hz, self._recordings)
        if pcm is None:
            raise _nothing_heard(recording, f"silence at {self.sample_rate_hz} Hz")
        return from_pcm(pcm)


def _nothing_heard(recording: Recording, got: str) -> UserError:
    return UserError(
        f"recording {recording.name!r}", got=got, expected="speech", fix="record it again"
    )
