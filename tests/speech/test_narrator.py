"""What the narrator makes of whatever a Tacotron2 and a vocoder hand it."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchaudio.models import Tacotron2

from s2igan.speech.audio import Samples
from s2igan.speech.narrator import Failed, Narrator
from s2igan.speech.vocoders import BANDS, SILENCE, GriffinLimVocoder
from tests.speech.voices import small_tacotron2

MAX_FRAMES = 60


class Scripted(nn.Module):
    """Speaks ten frames per ``a`` of a text, all bands at its number of characters."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(38, 1)
        self.decoder = SimpleNamespace(decoder_max_step=None)
        self.value = value

    def infer(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, None]:
        assert lengths.tolist() == sorted(lengths.tolist(), reverse=True)
        frames = 10 * (tokens == 12).sum(1)  # 12 is a
        levels = lengths.float() + self.value
        return levels[:, None, None].expand(-1, BANDS, int(frames.max())), frames, None


class Recorder:
    """A vocoder that keeps what it hears and says every frame's first band as one sample."""

    def __init__(self, gain: float = 0.01) -> None:
        self.heard: list[tuple[Tensor, list[int]]] = []
        self.gain = gain

    def __call__(self, spectrograms: Tensor, lengths: list[int]) -> list[Tensor]:
        self.heard.append((spectrograms, lengths))
        return [
            self.gain * spectrogram[0, :length]
            for spectrogram, length in zip(spectrograms, lengths, strict=True)
        ]


def _narrator(network: nn.Module, vocoder: Recorder | GriffinLimVocoder) -> Narrator:
    return Narrator(cast(Tacotron2, network), vocoder, max_frames=MAX_FRAMES, precision="float32")


def _samples(heard: Samples | Failed) -> Samples:
    assert isinstance(heard, np.ndarray), heard
    return heard


def test_every_text_gets_its_own_audio_in_order() -> None:
    heard = _narrator(Scripted(), Recorder())(["aab", "a", "baba", "aaaaabb"], 0)
    assert [len(_samples(item)) for item in heard] == [20, 10, 20, 50]
    assert [float(_samples(item)[0]) for item in heard] == pytest.approx([0.03, 0.01, 0.04, 0.07])


def test_the_vocoder_gets_the_longest_first_and_silence_after_an_end() -> None:
    vocoder = Recorder()
    _narrator(Scripted(), vocoder)(["abbbb", "aaa", "aa"], 0)
    [(spectrograms, lengths)] = vocoder.heard
    assert lengths == [30, 20, 10]
    assert spectrograms.shape == (3, BANDS, 30)
    for row, (length, level) in enumerate(zip(lengths, [3.0, 2.0, 5.0], strict=True)):
        assert (spectrograms[row, :, :length] == level).all()
        assert spectrograms[row, :, length:].numpy() == pytest.approx(SILENCE)


def test_says_why_a_sentence_failed_and_speaks_the_others() -> None:
    vocoder = Recorder()
    heard = _narrator(Scripted(), vocoder)(["aaaaaa", "ab", "a bird is big", "b"], 0)
    assert heard[0] == Failed("no end within 60 frames")
    assert len(_samples(heard[1])) == 10
    assert heard[2] == Failed("10 frames for 13 characters")
    assert heard[3] == Failed("0 frames for 1 characters")
    assert vocoder.heard[0][1] == [10]


def test_what_are_not_numbers_and_what_is_silent_have_failed() -> None:
    nan = float("nan")
    assert _narrator(Scripted(nan), Recorder())(["a"], 0) == [
        Failed("a spectrogram of what are not numbers")
    ]
    assert _narrator(Scripted(), Recorder(nan))(["a"], 0) == [
        Failed("samples that are not numbers")
    ]
    assert _narrator(Scripted(), Recorder(1e-5))(["a"], 0) == [Failed("silence")]


def test_speech_beyond_full_scale_is_turned_down() -> None:
    [heard] = _narrator(Scripted(), Recorder(gain=4.0))(["a"], 0)
    assert _samples(heard).tolist() == pytest.approx([1.0] * 10)


def test_the_seed_decides_what_is_heard_and_global_generators_stay() -> None:
    narrator = _narrator(small_tacotron2(20), GriffinLimVocoder())
    before = torch.random.get_rng_state()
    texts = ["a red bird.", "blue."]
    first, again, other = (narrator(texts, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    for row in range(2):
        np.testing.assert_array_equal(_samples(first[row]), _samples(again[row]))
        assert not np.array_equal(_samples(first[row]), _samples(other[row]))


def test_the_small_network_ends_where_it_is_told_and_a_longer_one_never() -> None:
    narrator = _narrator(small_tacotron2(20), Recorder())
    assert [len(_samples(item)) for item in narrator(["a bird", "a red bird"], 0)] == [20, 20]
    endless = _narrator(small_tacotron2(1000), Recorder())
    assert endless(["a bird"], 0) == [Failed("no end within 60 frames")]
