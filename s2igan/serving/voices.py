"""Recordings that are made on the spot: a text spoken by a voice, a few seconds of microphone."""

import sys
from collections.abc import Mapping
from typing import Any

from s2igan.errors import UserError
from s2igan.serving.card import own_voice
from s2igan.serving.limits import LONGEST_TEXT
from s2igan.serving.recording import Recording, check_recording
from s2igan.speech.audio import from_pcm
from s2igan.speech.espeak import say


def voice_is_installed() -> bool:
    """Tell whether texts can be spoken here."""
    try:
        import espeakng_loader  # noqa: F401
    except ImportError:
        return False
    return True


def speak_text(text: str, card: Mapping[str, Any]) -> Recording:
    """Speak a sentence as the corpus of a model would: its first voice, at mid rate and pitch.

    Raises:
        UserError: if there is nothing to say or too much, or no package espeakng-loader.
    """
    name = f"text {text[:40]!r}"
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise UserError(
            name,
            got=f"{len(text)} characters" if text.strip() else "no words",
            expected=f"a sentence of at most {LONGEST_TEXT} characters",
        )
    ((pcm, rate_hz),) = say([own_voice(card, text)], ["the sentence"])
    return check_recording(from_pcm(pcm), rate_hz, name)


def listen(seconds: float, rate_hz: int) -> Recording:
    """Record from the microphone that the machine calls its own, and say so on stderr.

    ``rate_hz`` is the wanted rate, Hz.

    Raises:
        UserError: if there is no package sounddevice, no PortAudio, no microphone, or nothing was
            heard.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        lacks_package = isinstance(error, ImportError)  # else the library behind it
        wanted = "`s2igan[voice]`" if lacks_package else "PortAudio (Debian: libportaudio2)"
        raise UserError(
            "--microphone",
            got=" ".join(str(error).split()),
            expected="the package sounddevice, and PortAudio behind it",
            fix=f"install {wanted}, or record a file and name it",
        ) from error
    sys.stderr.write(f"microphone: listening for {seconds:g} s\n")
    try:
        samples = sounddevice.rec(
            round(seconds * rate_hz), samplerate=rate_hz, channels=1, dtype="float32", blocking=True
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UserError(
            "--microphone",
            got=" ".join(str(error).split()),
            expected="a microphone that can be opened",
            fix="record a file and name it",
        ) from error
    return check_recording(samples, rate_hz, "of the microphone")
