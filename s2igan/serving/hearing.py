"""What a model hears of a recording: the way that its training speech took."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from s2igan.errors import UserError
from s2igan.serving.recording import Recording
from s2igan.speech.audio import Samples, from_pcm, resample, to_pcm
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.mel import LogMel
from s2igan.speech.recordings import FRAME_MS, centred, level, trim_silence

SYNTHETIC = RecordingsConfig(trim_db=40.0, keep_ms=100.0, level_dbfs=None)
"""How silence is cut for a model that learnt from a synthetic voice, which knows hardly any.

espeak-ng begins at once and ends with at most 80 ms of silence: its own utterances stay whole.
"""

SYNTHETIC_DBFS = (-24.0, -17.0)
"""The root mean square of such a voice's utterances, dB of full scale.

Those of MiniBirds lie between -23.2 and -17.7. What lies beyond is brought to the nearer end: under
a quiet recording, the floor of the logarithm would drown the bands that matter.
"""

SYNTHETIC_OFFSET = 1 / 64
"""The largest constant offset that such a voice has, in root mean squares of an utterance.

espeak-ng's own reach 1 / 80, and training heard them. What lies beyond comes from a microphone.
"""


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
        self._trim = recordings or SYNTHETIC
        self.sample_rate_hz: int = mel["sample_rate_hz"]

    def __call__(self, recording: Recording) -> npt.NDArray[np.float32]:
        """Return ``(F, bands)`` float32.

        Raises:
            UserError: if nothing that the model can hear is in it.
        """
        samples = self.prepared(recording)
        if len(samples) < self._log_mel.window_length:
            raise _nothing_heard(f"{len(samples) / self.sample_rate_hz * 1000:.0f} ms of sound")
        # The packed features of the training speech are float16.
        frames: npt.NDArray[np.float32] = self._log_mel(samples).to(torch.float16).float().numpy()
        return frames

    def prepared(self, recording: Recording) -> Samples:
        """Return ``(n,)`` float32 at the model's rate, of 16 bits, centred, trimmed and levelled.

        Raises:
            UserError: if all of it lies above what that rate can carry.
        """
        samples = self._centred(recording.samples)
        samples = resample(samples, recording.rate_hz, self.sample_rate_hz)
        if not to_pcm(samples).any():
            raise _nothing_heard(f"silence at {self.sample_rate_hz} Hz")
        if self._trim.trim_db is not None:
            samples = trim_silence(
                samples,
                self._trim.trim_db,
                frame=round(FRAME_MS / 1000 * self.sample_rate_hz),
                keep=round(self._trim.keep_ms / 1000 * self.sample_rate_hz),
            )
        return from_pcm(to_pcm(self._levelled(samples)))

    def _centred(self, samples: Samples) -> Samples:
        offset = abs(float(samples.mean(dtype=np.float64)))
        rms = math.sqrt(float(np.square(samples, dtype=np.float64).mean()))
        own = self._recordings is None and offset <= SYNTHETIC_OFFSET * rms
        return samples if own else centred(samples)

    def _levelled(self, samples: Samples) -> Samples:
        if self._recordings is not None:
            wanted = self._recordings.level_dbfs
            return samples if wanted is None else level(samples, wanted)
        own = 10 * math.log10(float(np.square(samples, dtype=np.float64).mean()))
        wanted = min(max(own, SYNTHETIC_DBFS[0]), SYNTHETIC_DBFS[1])
        return samples if wanted == own else level(samples, wanted)


def _nothing_heard(got: str) -> UserError:
    return UserError("recording", got=got, expected="speech", fix="record it again")
