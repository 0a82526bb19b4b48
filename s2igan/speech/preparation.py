"""What is done to a recording before anything hears it: offset, rate, silence, loudness, 16 bits.

The order matters. A constant offset is taken away and the rate is changed first, so that silence
and loudness are judged by what the log-mel will hear, not by hiss above its Nyquist frequency nor
by what a microphone adds and nobody hears. Silence is cut before the level is measured: else a
short word in a long recording would come out the loudest. The level comes last, since only then do
the samples hold still and none can be pushed over full scale. Where no level is wanted, samples may
exceed it all the same, as MP3 and files of floats do, or after a change of rate: they are turned
down to it.
"""

import math

import numpy as np

from s2igan.speech.audio import Pcm, Samples, resample, to_pcm
from s2igan.speech.config import RecordingsConfig

FRAME_MS = 20.0
"""Length of a frame that is loud or silent as a whole; at least a period of any voice."""

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

_FULL_SCALE = 32767 / 32768


def prepared(
    samples: Samples, rate_hz: int, target_hz: int, config: RecordingsConfig | None
) -> Pcm | None:
    """Centre, resample, trim and level a recording, and round it to 16 bits.

    Args:
        samples: ``(n,)`` float32 mono.
        rate_hz: their rate, Hz.
        target_hz: wanted rate, Hz.
        config: silence and level; None brings the recording to what espeak-ng's utterances are
            like, and leaves those as they are. Without a level, what exceeds full scale is turned
            down to it, and all else keeps the level that it has.

    Returns:
        ``(m,)`` int16, or None of a recording that is silent as far as the wanted rate can tell.
    """
    samples = resample(_without_offset(samples, config), rate_hz, target_hz)
    if not to_pcm(samples).any():
        return None
    trim = config or SYNTHETIC
    if trim.trim_db is not None:
        samples = trim_silence(
            samples,
            trim.trim_db,
            frame=round(FRAME_MS / 1000 * target_hz),
            keep=round(trim.keep_ms / 1000 * target_hz),
        )
    return to_pcm(_levelled(samples, config))


def _without_offset(samples: Samples, config: RecordingsConfig | None) -> Samples:
    offset = abs(float(samples.mean(dtype=np.float64)))
    own = config is None and offset <= SYNTHETIC_OFFSET * math.sqrt(_power(samples))
    return samples if own else centred(samples)


def _levelled(samples: Samples, config: RecordingsConfig | None) -> Samples:
    wanted = _beyond_a_voice(samples) if config is None else config.level_dbfs
    return within_full_scale(samples) if wanted is None else level(samples, wanted)


def _beyond_a_voice(samples: Samples) -> float | None:
    """Return the end of a synthetic voice's levels that samples lie beyond, dB, or None."""
    own = 10 * math.log10(_power(samples))
    wanted = min(max(own, SYNTHETIC_DBFS[0]), SYNTHETIC_DBFS[1])
    return None if wanted == own else wanted


def _power(samples: Samples) -> float:
    return float(np.square(samples, dtype=np.float64).mean())


def centred(samples: Samples) -> Samples:
    """Take the constant offset out of ``(n,)`` samples."""
    return samples - np.float32(samples.mean(dtype=np.float64))


def trim_silence(samples: Samples, below_db: float, *, frame: int, keep: int) -> Samples:
    """Cut both ends where the mean power of a frame lies below that of the loudest.

    Args:
        samples: ``(n,)`` float32, not all zero.
        below_db: how far below makes a frame silent, dB.
        frame: samples per frame; frames lie side by side from the first sample on.
        keep: silent samples that stay at each end, where there are as many.

    Returns:
        The part from the first to the last frame that is not silent, and ``keep`` around it.
    """
    padded = np.pad(samples, (0, -len(samples) % frame)).astype(np.float64)
    power = np.square(padded).reshape(-1, frame).mean(axis=1)  # (frames,)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below_db / 10))
    start = max(0, int(loud[0]) * frame - keep)
    return samples[start : (int(loud[-1]) + 1) * frame + keep]


def level(samples: Samples, dbfs: float) -> Samples:
    """Scale to a root mean square, or as far towards it as no sample exceeds full scale.

    Args:
        samples: ``(n,)`` float32, not all zero.
        dbfs: wanted root mean square, dB; 0 is a square wave of full scale.
    """
    rms = math.sqrt(_power(samples))
    gain = min(10 ** (dbfs / 20) / rms, _FULL_SCALE / float(np.abs(samples).max()))
    return samples * np.float32(gain)


def within_full_scale(samples: Samples) -> Samples:
    """Turn ``(n,)`` float32 down to full scale; what does not exceed it comes back itself."""
    peak = float(np.abs(samples).max())
    return samples if peak <= 1 else samples * np.float32(_FULL_SCALE / peak)
