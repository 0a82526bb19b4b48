import json
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from s2igan.engine.arrays import Ragged
from s2igan.errors import UserError
from s2igan.speech.config import MelConfig
from s2igan.speech.features import write_mel
from s2igan.speech.mel import LogMel
from s2igan.speech.shards import SHARD_SIZE, SpeechShards, Spoken, shard_path, write_shard
from s2igan.speech.synthesis import speak_corpus
from tests.corpora.makers import folder_bytes
from tests.speech.conftest import MakeCorpus, MakeTts


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "features"
    folder.mkdir()
    return folder


def _write_noise(folder: Path, count: int, rate_hz: int = 22050, length: int = 2000) -> Path:
    folder.mkdir(exist_ok=True)
    for start in range(0, count, SHARD_SIZE):
        rows = range(start, min(start + SHARD_SIZE, count))
        spoken = (
            Spoken(
                row,
                None,
                None,
                None,
                np.random.default_rng(row).integers(-2000, 2000, length + row % 9).astype(np.int16),
            )
            for row in rows
        )
        write_shard(shard_path(folder, start // SHARD_SIZE), spoken, rate_hz)
    return folder


def test_frames_are_those_of_the_front_end_and_characters_those_of_the_text(
    corpus: MakeCorpus, tts: MakeTts, mel: MelConfig, tmp_path: Path, out: Path
) -> None:
    source = corpus(["A Red bird", "été"])
    speak_corpus(
        tts(),
        corpus=source,
        weights=tmp_path,
        out=tmp_path / "speech",
        device=torch.device("cpu"),
        workers=1,
        kept=tmp_path,
    )
    write_mel(mel, corpus=source, speech=tmp_path / "speech", out=out, workers=1)
    frames, characters = Ragged(out, "mel"), Ragged(out, "characters")
    assert (str(frames.values.dtype), frames.values.shape[1]) == ("float16", 40)
    front = LogMel(**json.loads((out / "mel.json").read_text()))
    for utterance, samples, _ in SpeechShards(tmp_path / "speech"):
        np.testing.assert_allclose(frames[utterance], front(samples).numpy(), atol=2e-3)
    assert [bytes(characters[row]).decode() for row in range(2)] == ["a red bird", "été"]


def test_one_and_two_workers_give_the_same_bytes(
    corpus: MakeCorpus, mel: MelConfig, tmp_path: Path
) -> None:
    count = SHARD_SIZE + 20
    source = corpus([None] * count)
    speech = _write_noise(tmp_path / "speech", count)
    written = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        out.mkdir()
        write_mel(mel, corpus=source, speech=speech, out=out, workers=workers)
        written.append(folder_bytes(out))
    assert written[0] == written[1]
    assert Ragged(tmp_path / "1", "characters").lengths.tolist() == [0] * count


def test_the_folder_is_listed_once_however_many_shards_are_in_it(
    corpus: MakeCorpus,
    mel: MelConfig,
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 2 * SHARD_SIZE + 1
    speech, listed = _write_noise(tmp_path / "speech", count), Mock(wraps=Path.glob)
    monkeypatch.setattr(Path, "glob", lambda *arguments: listed(*arguments))
    write_mel(mel, corpus=corpus([None] * count), speech=speech, out=out, workers=1)
    assert [call.args[0] for call in listed.mock_calls].count(speech) == 1


def test_mel_json_tells_the_rate_of_the_audio(
    corpus: MakeCorpus, mel: MelConfig, tmp_path: Path, out: Path
) -> None:
    speech = _write_noise(tmp_path / "speech", 1, rate_hz=16000)
    write_mel(mel, corpus=corpus([None]), speech=speech, out=out, workers=1)
    assert json.loads((out / "mel.json").read_text()) == {
        "sample_rate_hz": 16000,
        "bands": 40,
        "window": "hamming",
        "window_ms": 25.0,
        "hop_ms": 10.0,
        "log_floor": 1e-6,
        "normalise": "per_band",
    }


def test_speech_of_another_corpus_is_refused(
    corpus: MakeCorpus, mel: MelConfig, tmp_path: Path, out: Path
) -> None:
    speech = _write_noise(tmp_path / "speech", 2)
    with pytest.raises(UserError, match="got 2 utterances; expected 3"):
        write_mel(mel, corpus=corpus([None] * 3), speech=speech, out=out, workers=1)


def test_an_utterance_shorter_than_the_window_is_named(
    corpus: MakeCorpus, mel: MelConfig, tmp_path: Path, out: Path
) -> None:
    speech = _write_noise(tmp_path / "speech", 2, length=549)
    with pytest.raises(UserError) as caught:
        write_mel(mel, corpus=corpus([None] * 2), speech=speech, out=out, workers=1)
    told = "utterance 0 (picture 'bird.jpg', description 0); got 549 samples; expected at least 551"
    assert told in str(caught.value)
