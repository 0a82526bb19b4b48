"""Tacotron2 and a vocoder at work: a batch of sentences in, what is heard of each out."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torchaudio.models import Tacotron2

from s2igan.engine.device import Precision, autocast
from s2igan.speech.audio import Samples
from s2igan.speech.normalisation import ALPHABET
from s2igan.speech.vocoders import SILENCE, Vocoder

# The reader of LJSpeech takes about six frames a character; with less than one, words are missing.
_FRAMES_PER_CHARACTER: Final = 1
# Griffin-Lim needs a whole window of 1,024 samples.
_LEAST_FRAMES: Final = 8
# Half a step of 16-bit audio.
_INAUDIBLE: Final = 0.5 / 32768


class Failed(NamedTuple):
    """A sentence that was not spoken, and why."""

    reason: str


class Narrator:
    """Speaks batches of sentences.

    Args:
        network: a Tacotron2 that reads :data:`~s2igan.speech.normalisation.ALPHABET`.
        vocoder: what makes its spectrograms audible; on the same device.
        max_frames: a sentence that has not ended by then has failed.
        precision: arithmetic of the networks; spectrograms and waveforms are float32.
    """

    def __init__(
        self, network: Tacotron2, vocoder: Vocoder, *, max_frames: int, precision: Precision
    ) -> None:
        self._network = network.eval()
        self._network.decoder.decoder_max_step = max_frames
        self._vocoder = vocoder
        self._max_frames = max_frames
        self._precision = precision
        self._device = network.embedding.weight.device

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], seed: int) -> list[Samples | Failed]:
        """Speak ``texts``, each of the alphabet and not empty, as one batch.

        Tacotron2's prenet drops units at inference too, and vocoders draw: what is heard depends on
        ``seed`` and on the whole batch. PyTorch's global generators stay as they were.

        Returns:
            Per text, in order: ``(n,)`` float32 in [-1, 1] at the vocoders' rate, or why there is
            none.
        """
        # The encoder packs its batch, longest first.
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        with _seeded(self._device, seed), autocast(self._device, self._precision):
            spectrograms = self._read([texts[row] for row in order])
            heard = dict(zip(order, self._sound(spectrograms), strict=True))
        return [heard[row] for row in range(len(texts))]

    def _read(self, texts: Sequence[str]) -> list[Tensor | Failed]:
        """Return a spectrogram ``(BANDS, T)`` float32 per text."""
        symbols = [torch.tensor([ALPHABET.index(char) for char in text]) for text in texts]
        lengths = torch.tensor([len(text) for text in texts])
        tokens = pad_sequence(symbols, batch_first=True)  # (N, longest text)
        with warnings.catch_warnings():
            # Who came to no end is named by its utterance.
            warnings.filterwarnings("ignore", message="Reached max decoder steps")
            spectrograms, frames, _ = self._network.infer(
                tokens.to(self._device), lengths.to(self._device)
            )
        whole = [
            spectrogram[:, :count]
            for spectrogram, count in zip(spectrograms.float(), frames.tolist(), strict=True)
        ]
        return [
            self._judged(spectrogram, len(text))
            for spectrogram, text in zip(whole, texts, strict=True)
        ]

    def _judged(self, spectrogram: Tensor, characters: int) -> Tensor | Failed:
        frames = spectrogram.shape[1]
        if frames >= self._max_frames:
            return Failed(f"no end within {self._max_frames} frames")
        if frames < max(_LEAST_FRAMES, _FRAMES_PER_CHARACTER * characters):
            return Failed(f"{frames} frames for {characters} characters")
        if not spectrogram.isfinite().all():
            return Failed("a spectrogram of what are not numbers")
        return spectrogram

    def _sound(self, spectrograms: Sequence[Tensor | Failed]) -> list[Samples | Failed]:
        heard: list[Samples | Failed] = [
            item if isinstance(item, Failed) else Failed("no audio") for item in spectrograms
        ]
        whole = {row: item for row, item in enumerate(spectrograms) if isinstance(item, Tensor)}
        order = sorted(whole, key=lambda row: -whole[row].shape[1])
        if not order:
            return heard
        # After its end a sentence is silent, whatever the network went on to say in the batch.
        batch = pad_sequence(
            [whole[row].T for row in order], batch_first=True, padding_value=SILENCE
        ).transpose(1, 2)  # (N, T, BANDS) -> (N, BANDS, T)
        waveforms = self._vocoder(batch, [whole[row].shape[1] for row in order])
        for row, waveform in zip(order, waveforms, strict=True):
            heard[row] = _audible(waveform)
        return heard


def _audible(waveform: Tensor) -> Samples | Failed:
    if not waveform.isfinite().all():
        return Failed("samples that are not numbers")
    peak = float(waveform.abs().max()) if len(waveform) else 0.0
    if peak < _INAUDIBLE:
        return Failed("silence")
    # Speech louder than full scale is turned down, not clipped.
    samples: Samples = (waveform / max(peak, 1.0)).float().cpu().numpy()
    return samples


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    cards = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(cards):
        torch.default_generator.manual_seed(seed)
        if cards:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
