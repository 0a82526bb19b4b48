import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.speech.config import TtsConfig
from s2igan.speech.descriptions import Descriptions
from s2igan.speech.shards import SHARD_SIZE, SpeechShards
from s2igan.speech.synthesis import speak_corpus
from tests.corpora.makers import folder_bytes
from tests.speech.conftest import MakeCorpus, MakeTts

WORDS = ("red", "blue", "wing", "tail", "crown")


def _wav(hz: float, rate: int = 44100) -> bytes:
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(rate // 5) / rate)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([tone, tone], axis=1), rate, format="WAV")
    return buffer.getvalue()


def _speak(config: TtsConfig, *, corpus: Path, out: Path, workers: int) -> None:
    speak_corpus(
        config, corpus=corpus, weights=out, out=out, device=None, workers=workers, kept=out
    )


def test_one_and_three_workers_give_the_same_bytes(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path
) -> None:
    source = corpus([WORDS[row % len(WORDS)] for row in range(SHARD_SIZE + 30)])
    for workers in (1, 3):
        _speak(tts(), corpus=source, out=tmp_path / str(workers), workers=workers)
    written = folder_bytes(tmp_path / "1")
    assert sorted(written) == ["speech-00000.parquet", "speech-00001.parquet"]
    assert written == folder_bytes(tmp_path / "3")


def test_a_job_of_recordings_is_small_and_workers_take_the_same_ones(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path
) -> None:
    count = SHARD_SIZE + 30
    recordings = [_wav(200 + row, 22050) for row in range(count)]
    source = corpus([None] * count, recordings)
    job = pickle.dumps(Descriptions(source, "recorded").shard(0))
    assert len(job) / SHARD_SIZE < len(recordings[0]) / 100
    for workers in (1, 3):
        config = tts(engine="recorded")
        _speak(config, corpus=source, out=tmp_path / str(workers), workers=workers)
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "3")
    for utterance, samples, _ in SpeechShards(tmp_path / "1"):
        loudest_hz = 5 * int(np.abs(np.fft.rfft(samples)).argmax())
        assert loudest_hz == pytest.approx(200 + utterance, abs=3)


def test_a_shard_does_not_depend_on_those_before_it(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path
) -> None:
    # The utterance numbers, and with them the drawn voices, stay; only the first shard's words go.
    tail = ["a red wing", "a blue tail"]
    for name, word in (("a", "red"), ("b", "crown")):
        source = corpus([word] * SHARD_SIZE + tail)
        _speak(tts(), corpus=source, out=tmp_path / name, workers=1)
    first, second = folder_bytes(tmp_path / "a"), folder_bytes(tmp_path / "b")
    assert first["speech-00000.parquet"] != second["speech-00000.parquet"]
    assert first["speech-00001.parquet"] == second["speech-00001.parquet"]


def test_it_speaks_without_loading_torch(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    _speak(tts(), corpus=corpus(["a small red bird"]), out=tmp_path / "out", workers=1)
    assert len(SpeechShards(tmp_path / "out")) == 1


def test_speaks_at_another_rate(corpus: MakeCorpus, tts: MakeTts, tmp_path: Path) -> None:
    source = corpus(["a small red bird"])
    lengths = []
    for rate in (22050, 16000):
        _speak(tts(sample_rate_hz=rate), corpus=source, out=tmp_path / "out", workers=1)
        samples, rate_hz = SpeechShards(tmp_path / "out")[0]
        assert rate_hz == rate
        lengths.append(len(samples) / rate)
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-4)


def test_recordings_pass_through_without_any_text(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path
) -> None:
    source = corpus([None, None], [_wav(300), _wav(600)])
    _speak(tts(engine="recorded"), corpus=source, out=tmp_path / "out", workers=1)
    for (_, samples, rate_hz), hz in zip(SpeechShards(tmp_path / "out"), (300, 600), strict=True):
        assert (rate_hz, len(samples)) == (22050, 22050 // 5)
        spectrum = np.abs(np.fft.rfft(samples))
        assert int(spectrum.argmax()) * 5 == pytest.approx(hz, abs=5)


@pytest.mark.parametrize(
    ("texts", "recordings", "engine", "message"),
    [
        (
            ["a bird", None],
            [b"", b""],
            "espeak",
            "text of utterance 1 .*set tts.engine to recorded",
        ),
        (["a bird", "  "], [], "espeak", "text of utterance 1 .*got no words"),
        (["a bird", "..."], [], "espeak", "text of utterance 1 .*says nothing"),
        (["a bird"], [], "recorded", "recording of utterance 0 .*set tts.engine to espeak"),
        ([None], [b"noise"], "recorded", "recording of utterance 0 .*do not decode"),
    ],
)
def test_names_the_description_that_cannot_be_spoken(
    corpus: MakeCorpus,
    tts: MakeTts,
    tmp_path: Path,
    texts: list[str | None],
    recordings: list[bytes],
    engine: str,
    message: str,
) -> None:
    source = corpus(texts, recordings)
    with pytest.raises(UserError, match=message) as caught:
        _speak(tts(engine=engine), corpus=source, out=tmp_path / "out", workers=1)
    assert "bird.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_what_a_worker_cannot_speak_is_told_as_in_one_process(
    corpus: MakeCorpus, tts: MakeTts, tmp_path: Path
) -> None:
    source = corpus(["a bird", "..."])
    with pytest.raises(UserError, match=r"text of utterance 1 .*bird.jpg.*says nothing"):
        _speak(tts(), corpus=source, out=tmp_path / "out", workers=2)
