"""Tacotron2 speaking whole corpora: order, seeds, retries, kills."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from s2igan.errors import UserError
from s2igan.speech.audio import Samples
from s2igan.speech.config import TtsConfig
from s2igan.speech.narration import batches_by_length, narrate_shard
from s2igan.speech.narrator import Failed
from s2igan.speech.shards import SpeechShards
from s2igan.speech.synthesis import speak_corpus
from s2igan.speech.vocoders import RATE_HZ
from tests.corpora.makers import folder_bytes
from tests.speech.conftest import MakeCorpus, MakeTts
from tests.speech.voices import small_tacotron2, small_wavernn, write_weights

TEXTS = [f"{'red ' * (row % 5)}bird {row}" for row in range(11)]
SHARD = 4

Speak = Callable[..., None]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("descriptions", "shards"):
        monkeypatch.setattr(f"s2igan.speech.{module}.SHARD_SIZE", SHARD)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(
        tmp_path / "weights",
        {
            "tacotron2/ljspeech": small_tacotron2(30).state_dict(),
            "wavernn/ljspeech": small_wavernn().state_dict(),
            "tacotron2/ljspeech-griffinlim": small_tacotron2(30).state_dict(),
        },
    )


@pytest.fixture
def config(tts: MakeTts) -> Callable[..., TtsConfig]:
    def make(**changes: object) -> TtsConfig:
        tacotron2 = {"vocoder": "wavernn", "batch": 3, "max_frames": 100, "precision": "float32"}
        return tts(engine="tacotron2", tacotron2=tacotron2, **changes)

    return make


@pytest.fixture
def speak(corpus: MakeCorpus, weights: Path, tmp_path: Path) -> Speak:
    def run(config: TtsConfig, out: Path, texts: Sequence[str] = TEXTS) -> None:
        speak_corpus(
            config,
            corpus=corpus(texts),
            weights=weights,
            out=out,
            device=torch.device("cpu"),
            workers=1,
            kept=tmp_path / "kept",
        )

    return run


class Told:
    """A narrator of hums as long as their texts, which notes what it was told and may be killed."""

    def __init__(self, kill_at: str | None = None) -> None:
        self.texts: list[str] = []
        self._kill_at = kill_at

    def __call__(self, texts: Sequence[str], seed: int) -> list[Samples | Failed]:
        self.texts += texts
        if self._kill_at in texts:
            raise KeyboardInterrupt
        return [np.full(100 * len(text), seed % 97 / 97, np.float32) for text in texts]

    def load(self, *_: object) -> "Told":
        return self


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    def make(kill_at: str | None = None) -> Told:
        narrator = Told(kill_at)
        monkeypatch.setattr("s2igan.speech.narration.load_narrator", narrator.load)
        return narrator

    return make


def test_a_corpus_is_spoken_in_order_with_one_voice(
    speak: Speak, config: Callable[..., TtsConfig], tmp_path: Path
) -> None:
    speak(config(), tmp_path / "out")
    assert sorted(folder_bytes(tmp_path / "out")) == [
        f"speech-0000{shard}.parquet" for shard in range(3)
    ]
    table = pq.read_table(tmp_path / "out")
    assert table["utterance"].to_pylist() == list(range(11))
    assert set(table["voice"].to_pylist()) == {"ljspeech"}
    assert table["rate"].null_count == table["pitch"].null_count == 11
    for _, samples, rate_hz in SpeechShards(tmp_path / "out"):
        assert (len(samples), rate_hz) == (30 * 12, 22050)


def test_two_runs_give_the_same_bytes_and_another_seed_others(
    speak: Speak, config: Callable[..., TtsConfig], tmp_path: Path
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.manual_seed(len(name))
        torch.rand(seed)
        speak(config(seed=seed), tmp_path / name, TEXTS[:6])
    assert folder_bytes(tmp_path / "a") == folder_bytes(tmp_path / "b")
    for name, content in folder_bytes(tmp_path / "c").items():
        assert content != folder_bytes(tmp_path / "a")[name]


def test_another_rate_is_resampled(
    speak: Speak, config: Callable[..., TtsConfig], tmp_path: Path
) -> None:
    speak(config(sample_rate_hz=44100), tmp_path / "out", ["a bird"])
    samples, rate_hz = SpeechShards(tmp_path / "out")[0]
    assert (len(samples), rate_hz) == (2 * 30 * 12, 44100)


def test_a_killed_run_goes_on_after_its_last_finished_shard(
    speak: Speak, config: Callable[..., TtsConfig], told: Callable[..., Told], tmp_path: Path
) -> None:
    told()
    speak(config(), tmp_path / "whole")
    told(kill_at="bird ten.")
    with pytest.raises(KeyboardInterrupt):
        speak(config(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    rest = told()
    speak(config(), tmp_path / "out")
    assert sorted(rest.texts) == [
        "bird ten.",
        "red red red bird eight.",
        "red red red red bird nine.",
    ]
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "whole")
    assert not [path for path in (tmp_path / "kept").iterdir() if path.is_dir()]


@pytest.mark.parametrize("change", ["text", "seed", "weights"])
def test_only_what_is_the_same_is_taken_from_a_killed_run(
    speak: Speak,
    config: Callable[..., TtsConfig],
    told: Callable[..., Told],
    weights: Path,
    tmp_path: Path,
    change: str,
) -> None:
    told(kill_at="bird ten.")
    with pytest.raises(KeyboardInterrupt):
        speak(config(), tmp_path / "out")
    rest = told()
    texts = [*TEXTS]
    if change == "text":
        texts[5] = "a mended bird"
    if change == "weights":
        (weights / "tts.json").write_text("{}")
    speak(config(seed=9 if change == "seed" else 3), tmp_path / "out", texts)
    # A shard of four and the last of three, or all eleven.
    assert len(rest.texts) == (7 if change == "text" else 11)


def test_all_failed_sentences_are_counted_the_first_named_and_nothing_is_written(
    speak: Speak, config: Callable[..., TtsConfig], tmp_path: Path
) -> None:
    texts = ["a bird", "a bird " * 10, *["a bird"] * 7, "a bird " * 11]
    with pytest.raises(UserError, match="2 of 10 sentences") as caught:
        speak(config(), tmp_path / "out", texts)
    message = str(caught.value)
    assert "utterance 1 (picture 'bird.jpg', description 1): 30 frames for 70 char" in message
    assert "utterance 9 (picture 'bird.jpg', description 9): 30 frames for 77 char" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_a_long_list_of_failed_sentences_is_cut(
    speak: Speak, config: Callable[..., TtsConfig], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"13 of 13 .*description 9\).*; and 3 more;") as caught:
        speak(config(), tmp_path / "out", ["a bird " * 10] * 13)
    assert "utterance 10 " not in str(caught.value)


def test_a_text_that_cannot_be_said_is_told_before_anything_is_loaded(
    speak: Speak, config: Callable[..., TtsConfig], weights: Path, tmp_path: Path
) -> None:
    (weights / "tts.json").unlink()
    with pytest.raises(UserError, match=r"text of utterance 5 .*can say nothing"):
        speak(config(), tmp_path / "out", [*["a bird"] * 5, "…"])


def test_batches_hold_sentences_of_similar_length() -> None:
    texts = ["aaa", "a", "aaaaa", "aa", "aaaa", "aaa"]
    assert list(batches_by_length(texts, 4)) == [[2, 4, 0, 5], [3, 1]]


class Stubborn:
    """A narrator that fails where ``refuses`` says, by text and attempt; notes what it did."""

    def __init__(self, refuses: Callable[[str, int], bool]) -> None:
        self.asked: list[list[str]] = []
        self.seeds: list[int] = []
        self._refuses = refuses

    def __call__(self, texts: Sequence[str], seed: int) -> list[Samples | Failed]:
        before = [text for batch in self.asked for text in batch]
        self.asked.append(list(texts))
        self.seeds.append(seed)
        return [
            Failed("no end")
            if self._refuses(text, before.count(text))
            else np.full(len(text), 0.5, np.float32)
            for text in texts
        ]


def test_failed_sentences_are_spoken_together_with_other_seeds() -> None:
    narrator = Stubborn(lambda text, attempt: text.startswith("no") and attempt < len(text) - 2)
    heard = narrate_shard(narrator, ["yes", "noo", "maybe", "nooo"], shard=2, seed=1, batch=3)
    assert [len(sound) for sound in heard] == [3, 3, 5, 4]
    assert not any(isinstance(sound, Failed) for sound in heard)
    assert narrator.asked == [["maybe", "nooo", "yes"], ["noo"], ["nooo", "noo"], ["nooo"]]
    assert len(set(narrator.seeds)) == 4


def test_a_sentence_that_fails_every_time_is_spoken_in_pieces() -> None:
    text = "a long bird, with a red wing."
    narrator = Stubborn(lambda asked, attempt: asked == text or attempt == 0)
    heard = narrate_shard(narrator, ["a bird.", text], shard=0, seed=1, batch=2)
    first, second = "a long bird,", "with a red wing."
    assert narrator.asked[-2:] == [[second, first]] * 2
    assert narrator.asked[:-2] == [[text, "a bird."]] * 2 + [[text]] * 2
    assert len(set(narrator.seeds)) == 6
    sound = heard[1]
    assert isinstance(sound, np.ndarray)
    pause = RATE_HZ // 10
    assert len(sound) == len(first) + pause + len(second)
    assert sound[: len(first)].all()
    assert not sound[len(first) : -len(second)].any()
    assert sound[-len(second) :].all()


def test_a_sentence_of_which_a_piece_fails_is_given_up() -> None:
    narrator = Stubborn(lambda text, _: "no" in text)
    heard = narrate_shard(narrator, ["a red bird, no less.", "no"], shard=0, seed=1, batch=2)
    assert heard == [Failed("no end")] * 2
    assert len(set(narrator.seeds)) == len(narrator.seeds) == 8
    assert [batch for batch in narrator.asked if "no" in batch] == narrator.asked[:4]


def test_seeds_differ_from_shard_to_shard() -> None:
    seeds: list[int] = []

    def speak(texts: Sequence[str], seed: int) -> list[Samples | Failed]:
        seeds.append(seed)
        return [np.ones(1, np.float32)] * len(texts)

    for seed, shard in ((1, 0), (1, 1), (2, 0)):
        narrate_shard(speak, ["a", "b", "c"], shard=shard, seed=seed, batch=2)
    assert len(set(seeds)) == len(seeds) == 6
