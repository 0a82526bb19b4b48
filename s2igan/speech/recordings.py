"""The engine ``recorded``: descriptions that somebody spoke, taken as they are, with no text."""

from s2igan.errors import UserError
from s2igan.speech.audio import Pcm, decode_audio
from s2igan.speech.config import RecordingsConfig
from s2igan.speech.preparation import prepared


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
    pcm = prepared(samples, recorded_hz, rate_hz, config)
    if pcm is None:
        raise UserError(
            f"recording of {name}",
            got=f"{len(samples) / recorded_hz:.2g} s of silence",
            expected="speech",
            fix="replace the recording or take the description out of the corpus",
        )
    return pcm
