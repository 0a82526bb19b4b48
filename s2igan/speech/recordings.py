"""The engine ``recorded``: descriptions that somebody spoke, passed through without any text."""

from s2igan.speech.audio import Pcm, decode_audio, resample, to_pcm


def take_recording(data: bytes, rate_hz: int, name: str) -> Pcm:
    """Decode one recording, mix it to mono, bring it to ``rate_hz`` and round it to 16 bits.

    Returns:
        ``(n,)`` int16.

    Raises:
        UserError: if the recording does not decode; it carries ``name``.
    """
    samples, recorded_hz = decode_audio(data, name)
    return to_pcm(resample(samples, recorded_hz, rate_hz))
