"""Small corpora to speak, and the parameters to speak them with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from s2igan.corpora.index import write_corpus
from s2igan.speech.config import MelConfig, TtsConfig

MakeTts = Callable[..., TtsConfig]
MakeCorpus = Callable[..., Path]


@pytest.fixture
def tts() -> MakeTts:
    def make(**changes: object) -> TtsConfig:
        values: dict[str, object] = {
            "engine": "espeak",
            "seed": 3,
            "sample_rate_hz": 22050,
            "voices": ["en-us", "en-us+m3"],
            "test_voices": [],
            "programs": {},
            "rate_wpm": {"low": 150, "high": 190},
            "pitch": {"low": 40, "high": 60},
            "tacotron2": {
                "vocoder": "griffinlim",
                "batch": 4,
                "max_frames": 100,
                "precision": "float32",
            },
            "recordings": {"trim_db": None, "keep_ms": 0, "level_dbfs": None},
        }
        return TtsConfig.model_validate(values | changes)

    return make


@pytest.fixture
def mel() -> MelConfig:
    return MelConfig.model_validate(
        {
            "bands": 40,
            "window": "hamming",
            "window_ms": 25,
            "hop_ms": 10,
            "log_floor": 1e-6,
            "normalise": "per_band",
        }
    )


@pytest.fixture
def corpus(tmp_path: Path) -> MakeCorpus:
    def make(
        texts: Sequence[str | None], recordings: Sequence[bytes] = (), split: str = "train"
    ) -> Path:
        folder = tmp_path / "corpus"
        images = pd.DataFrame(
            {"name": ["bird.jpg"], "class_id": [0], "class_name": ["wren"], "split": [split]}
        )
        descriptions = pd.DataFrame(
            {
                "image": 0,
                "position": range(len(texts)),
                "text": list(texts),
                "recording": pd.Series(
                    [row if row < len(recordings) else None for row in range(len(texts))],
                    dtype="Int32",
                ),
                "role": "caption",
            }
        )
        write_corpus(
            folder,
            images,
            [b"picture"],
            descriptions,
            recordings,
            info={"kind": "test", "edition": "test"},
        )
        return folder

    return make
