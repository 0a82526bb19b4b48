"""Small models, and sounds that a model takes for speech."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.rdg.artifact import save_generator
from s2igan.sen.artifact import DESCRIPTION, SPEECH_WEIGHTS
from s2igan.sen.build import build_seeded_encoder
from tests.rdg.makers import EMBEDDING_DIM, small_generator

RATE = 16000
MEL: dict[str, Any] = {
    "sample_rate_hz": RATE,
    "bands": 20,
    "window": "hamming",
    "window_ms": 25.0,
    "hop_ms": 10.0,
    "log_floor": 1e-6,
    "normalise": "per_band",
}
TTS: dict[str, Any] = {
    "engine": "espeak",
    "voices": ["en-us+m3", "en-us"],
    "rate_wpm": {"low": 150, "high": 190},
    "pitch": {"low": 40, "high": 60},
    "recordings": {"trim_db": 40.0, "keep_ms": 100.0, "level_dbfs": -26.0},
}


def write_model(folder: Path, *, seed: int = 0) -> Path:
    """Write what the stage ``train_rdg`` would, untrained."""
    sizes: dict[str, object] = {
        "bands": MEL["bands"],
        "channels": [8, 8],
        "kernel": 6,
        "stride": 2,
        "activation": "relu",
        "gru_hidden": 8,
        "gru_layers": 1,
        "attention_hidden": 4,
        "embedding_dim": EMBEDDING_DIM,
    }
    description = {"encoder": "sed", "reads": "mel", "seed": seed, "speech_encoder": sizes}
    folder.mkdir(parents=True)
    write_weights(folder / SPEECH_WEIGHTS, build_seeded_encoder(description).state_dict())
    write_json(folder / DESCRIPTION, {**description, "mel": MEL})
    save_generator(folder, small_generator())
    return folder


def figure(value: float) -> dict[str, object]:
    """One figure as the stages write it."""
    return {"value": value, "chance": 0.1, "low": value / 2, "high": 1.0, "protocol": ["by ear"]}


def write_pipeline(root: Path) -> Path:
    """Write a folder in which a pipeline seems to have run."""
    write_model(root / "artifacts" / "rdg")
    sections = {
        "corpus": {"kind": "minibirds", "edition": "drawn"},
        "tts": TTS,
        "features": {"mel": {}},
        "sen": {"steps": 500, "batch": 128},
        "rdg": {"steps": 2200, "batch_size": 24},
    }
    # JSON is YAML.
    (root / "params.yaml").write_text(json.dumps(sections), encoding="utf-8")
    metrics = root / "metrics"
    found = {"mAP": figure(0.985), "R@1": figure(0.975)}
    write_json(metrics / "retrieval.json", {"speech_to_image": found})
    write_json(metrics / "generation.json", {"keywords": {"generated": {"all": figure(0.75)}}})
    return root


def babble(
    seed: int = 0, seconds: float = 1.5, rate_hz: int = RATE, dbfs: float = -20.0
) -> npt.NDArray[np.float32]:
    """Return harmonics with syllables, ``(n,)`` float32, as loud as a synthetic voice."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = 120 + 60 * rng.random()
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 2 * times))) / rate_hz
    formants = rng.uniform(300, 3000, 3)
    samples = np.zeros(len(times))
    for harmonic in range(1, 20):
        heard = np.exp(-np.abs(harmonic * pitch - formants).min() / 300)
        samples += heard * np.sin(harmonic * phase)
    syllables = 0.55 + 0.45 * np.cos(2 * np.pi * rng.uniform(3, 5) * times)
    samples = samples * syllables + 1e-3 * rng.standard_normal(len(times))
    samples *= 10 ** (dbfs / 20) / np.sqrt(np.square(samples).mean())
    return np.clip(samples, -1, 1).astype(np.float32)
