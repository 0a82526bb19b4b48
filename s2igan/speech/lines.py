"""What is said of a description, and how: voice, rate and pitch, drawn from a seed."""

from typing import NamedTuple

import numpy as np

from s2igan.speech.config import TtsConfig


class Line(NamedTuple):
    """What is said, and how: voice, words per minute and base pitch (0 to 100)."""

    voice: str
    rate_wpm: int
    pitch: int
    text: str


def draw_line(config: TtsConfig, utterance: int, text: str, split: str = "train") -> Line:
    """Draw voice, rate and pitch of an utterance from the seed, its number and its split alone."""
    rng = np.random.default_rng((config.seed, utterance))
    voices = config.test_voices if split == "test" and config.test_voices else config.voices
    return Line(
        voice=voices[int(rng.integers(len(voices)))],
        rate_wpm=int(rng.integers(config.rate_wpm.low, config.rate_wpm.high, endpoint=True)),
        pitch=int(rng.integers(config.pitch.low, config.pitch.high, endpoint=True)),
        text=text,
    )
