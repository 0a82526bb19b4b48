"""What a visitor of the page said, as the model heard it, and what can be done with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import Recording, read_recording
from s2igan.serving.voices import speak_text
from s2igan.speech.audio import encode_flac, to_pcm


@dataclass(frozen=True)
class Utterance:
    """One utterance as the model heard it.

    Args:
        embedding: ``(E,)`` float32.
        log_mel: ``(T, bands)`` float32.
        flac: the sound at the model's rate.
        seconds: its length.
        text: the sentence, if it was typed.
    """

    embedding: npt.NDArray[np.float32]
    log_mel: npt.NDArray[np.float32]
    flac: bytes
    seconds: float
    text: str | None = None

    @property
    def said(self) -> str:
        """How the page speaks of it."""
        return f"“{self.text}”" if self.text else f"{self.seconds:.1f} s of speech"


def hear_clip(model: SpeechToImage, path: Path, text: str | None = None) -> Utterance:
    """Hear a WAV, FLAC, OGG or MP3 file; ``text`` is what is said in it, if that is known.

    Errors name the file without its folder.

    Raises:
        UserError: if it does not decode, is silent, too short or too long.
    """
    return _hear(model, read_recording(path, path.name), text)


def hear_sentence(model: SpeechToImage, text: str) -> Utterance:
    """Speak a sentence in the voice of the model's corpus, and hear that.

    Raises:
        UserError: if it is empty or too long, or there is no espeak-ng.
    """
    text = " ".join(text.split())
    return _hear(model, speak_text(text, model.card), text)


def _hear(model: SpeechToImage, recording: Recording, text: str | None = None) -> Utterance:
    heard = model.sound(recording)
    return Utterance(
        embedding=model.embed([recording])[0],
        log_mel=model.log_mel(recording),
        flac=encode_flac(to_pcm(heard), model.sample_rate_hz),
        seconds=len(heard) / model.sample_rate_hz,
        text=text,
    )
