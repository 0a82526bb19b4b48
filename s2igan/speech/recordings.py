"""The engine ``recorded``: descriptions that somebody spoke, taken as they are, without any text.

The order matters. Channels are mixed, a constant offset is taken away and the rate is changed
first, so that silence and loudness are judged by what the log-mel will hear, not by hiss above its
Nyquist frequency nor by what a microphone adds and nobody hears. Silence is cut before the level is
measured: else a short word in a long recording would come out the loudest. The level comes last,
since only then do the samples hold still and none can be pushed over full scale.
"""

import numpy as np

from s2igan.errors import UserError
from s2igan.speech.audio import Pcm, Samples, decode_audio, resample, to_pcm
from s2igan.speech.config import RecordingsConfig

FRAME_MS = 20.0
"""Length of a frame that is loud or silent as a whole; at least a period of any voice."""

_FULL_SCALE = 32767 / 32768


def take_recording(data: bytes, rate_hz: int, name: str, config: RecordingsConfig) -> Pcm:
    """Decode one recording, bring it to ``rate_hz``, cut silence, level it, round it to 16 bits.

    Args:
        data: bytes of a WAV, FLAC, OGG or MP3 file of any rate and number of channels.
        rate_hz: wanted rate, Hz.
        name: how an error names the recording.
        config: silence and level.

    Returns:
        ``(n,)`` int16 mono.

    Raises:
        UserError: if the recording does not decode or is silent throughout; it carries ``name``.
    """
    samples, recorded_hz = decode_audio(data, name)
    samples = resample(centred(samples), recorded_hz, rate_hz)
    if not to_pcm(samples).any():
        raise UserError(
            f"recording of {name}",
            got=f"{len(samples) / rate_hz:.2g} s of silence",
            expected="speech",
            fix="replace the recording or take the description out of the corpus",
        )
    if config.trim_db is not None:
        samples = trim_silence(
            samples,
            config.trim_db,
            frame=round(FRAME_MS / 1000 * rate_hz),
            keep=round(config.keep_ms / 1000 * rate_hz),
        )
    if config.level_dbfs is not None:
        samples = level(samples, config.level_dbfs)
    return to_pcm(samples)


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
    rms = float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
    gain = min(10 ** (dbfs / 20) / rms, _FULL_SCALE / float(np.abs(samples).max()))
    return samples * np.float32(gain)
