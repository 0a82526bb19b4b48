"""Speech as a subject: a sentence to audio, FLAC and back, log-mel frames.

Ours is what the stages ``tts`` and ``features`` do: one process speaks many sentences, and the
power spectrum is two folded matrix products. Plain: a process for every sentence, and torch's STFT.
"""

from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor

from s2igan.config import Params
from s2igan.corpora.index import Corpus
from s2igan.speech.audio import decode_audio, encode_flac
from s2igan.speech.espeak import say
from s2igan.speech.lines import Line, draw_line
from s2igan.speech.mel import LogMel

OURS, PLAIN = 64, 8  # sentences of a step


class PlainLogMel(LogMel):
    """The same frames by torch's STFT."""

    def _power(self, signal: Tensor) -> Tensor:
        spectrum = torch.stft(
            signal,
            self.window_length,
            self.hop_length,
            window=self._window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        return spectrum.abs().square().T


class Speech:
    """Sentences of a corpus, some per step.

    Raises:
        RuntimeError: if another voice than espeak-ng's is asked for.
    """

    def __init__(self, params: Params, folder: Path, *, plain: bool) -> None:
        if params.tts.engine != "espeak":
            raise RuntimeError(f"speaks by espeak-ng, not by {params.tts.engine}")
        self._config, self._plain = params.tts, plain
        self.images = PLAIN if plain else OURS  # utterances here
        front = PlainLogMel if plain else LogMel
        mel = params.features.mel.model_dump()
        self._front = front(sample_rate_hz=params.tts.sample_rate_hz, **mel)
        texts = Corpus(folder / "corpus").descriptions["text"].tolist()
        self._texts = enumerate(cycle(texts))

    def step(self) -> None:
        """Take the next sentences all the way."""
        chosen = islice(self._texts, self.images)
        lines = [draw_line(self._config, number, text) for number, text in chosen]
        for group in ([line] for line in lines) if self._plain else [lines]:
            self._hear(group)

    def _hear(self, lines: list[Line]) -> None:
        names = [line.text for line in lines]
        for name, (pcm, rate_hz) in zip(names, say(lines, names), strict=True):
            samples, _ = decode_audio(encode_flac(pcm, rate_hz), name)
            self._front(samples)
