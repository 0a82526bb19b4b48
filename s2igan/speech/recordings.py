"""The engine ``recorded``: descriptions that somebody spoke, taken as they are, with no text."""

from s2igan.engine.sound import length_problem
from s2igan.speech.audio import Pcm, bad_recording, decode_audio
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
        UserError: if the recording does not decode, is silent throughout, or leaves less than
            :data:`~s2igan.engine.sound.SHORTEST_S` once silence is cut; it carries ``name``.
    """
    samples, recorded_hz = decode_audio(data, name)
    pcm = prepared(samples, recorded_hz, rate_hz, config)
    if pcm is None:
        raise bad_recording(name, f"{len(samples) / recorded_hz:.2g} s of silence")
    if problem := length_problem(len(pcm), rate_hz):
        raise bad_recording(name, f"{problem}, as tts.recordings prepares it")
    return pcm
