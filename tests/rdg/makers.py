"""Small configs, corpora and artifacts for the tests of the RDG."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.corpora.index import write_corpus
from s2igan.engine.arrays import RaggedWriter, write_array
from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.rdg.batches import Batch
from s2igan.rdg.config import RdgConfig, SampleConfig
from s2igan.rdg.generator import Generator
from s2igan.sen.artifact import DESCRIPTION, SPEECH_WEIGHTS
from s2igan.sen.build import build_seeded_encoder
from s2igan.vision.pixels import PixelWriter

EMBEDDING_DIM = 6
BANDS = 5
VIEWS = 3
SIDE = 36  # of the packed pictures, px

RDG: dict[str, Any] = {
    "seed": 3,
    "precision": "float32",
    "base_size": 8,
    "crop": 32,
    "gf": 8,
    "df": 8,
    "d_widest": None,
    "noise_dim": 4,
    "condition_dim": 5,
    "residual_blocks": 1,
    "dense": "paper",
    "speech_encoder": "trained",
    "standardise_speech": False,
    "condition_on": "mu",
    "wrong_pairs": "speech",
    "uncond_weight": 1.0,
    "kl_weight": 2.0,
    "use_rs": False,
    "rs_weight": 1.0,
    "rs_every": 1,
    "matching_weight": 0.0,
    "class_aware_weight": 0.0,
    "augment": [],
    "embedding_mix": 0.0,
    "steps": 6,
    "batch_size": 4,
    "lr_g": 2e-4,
    "lr_d": 2e-4,
    "betas": [0.5, 0.999],
    "ema_decay": 0.9,
    "log_every": 2,
    "checkpoint_every": 2,
    "when_not_finite": "stop",
    "grid_rows": 2,
    "grid_columns": 3,
}

SAMPLE: dict[str, Any] = {
    "seed": 5,
    "precision": "float32",
    "batch_size": 4,
    "split": "test",
    "captions_per_picture": 10,
    "noise": "per_utterance",
    "ca_noise": True,
    "truncation": None,
    "draws": 3,
    "diversity_sentences": 2,
    "mismatched": 100,
}


def embed_image(images: Tensor) -> Tensor:
    """A frozen image encoder: mean colours, repeated, of unit length."""
    return F.normalize(images.mean(dim=(2, 3)).repeat(1, EMBEDDING_DIM // 3), dim=1)


def rdg_config(**changes: Any) -> RdgConfig:
    """A config of seconds, with ``changes``."""
    return RdgConfig(**{**RDG, **changes})


def sample_config(**changes: Any) -> SampleConfig:
    """A config for a few pictures, with ``changes``."""
    return SampleConfig(**{**SAMPLE, **changes})


def small_generator(**changes: Any) -> Generator:
    """A generator of the size of :data:`RDG`."""
    sizes = {
        "embedding_dim": EMBEDDING_DIM,
        "base_size": 8,
        "gf": 8,
        "noise_dim": 4,
        "condition_dim": 5,
        "residual_blocks": 1,
        "dense": "paper",
    }
    torch.manual_seed(0)
    return Generator(**{**sizes, **changes})


def random_batch(config: RdgConfig, seed: int = 0) -> Batch:
    """Pictures of noise; embeddings of unit length."""
    rng = np.random.default_rng(seed)
    count = config.batch_size

    def unit() -> Any:
        drawn = rng.standard_normal((count, EMBEDDING_DIM)).astype(np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def pictures() -> Any:
        return rng.integers(0, 256, (count, config.crop, config.crop, 3), np.uint8)

    return Batch(
        real=pictures(),
        wrong=pictures() if config.wrong_pairs == "pictures" else None,
        labels=np.arange(count),
        speech=unit(),
        wrong_speech=unit(),
        truth_seen=unit(),
        same_seen=unit(),
        wrong_seen=unit(),
        noise=rng.standard_normal((count, config.noise_dim), np.float32),
        condition_noise=rng.standard_normal((count, config.condition_dim), np.float32),
    )


# Classes 0 to 2 train (the third with a single picture), 3 and 4 test, not in order.
CLASSES = [3, 0, 1, 0, 4, 2, 1, 0, 3, 4]
CAPTIONS = 2


def corpus_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten pictures of five classes with two captions each, and two swaps of test captions."""
    images = pd.DataFrame(
        {
            "name": [f"{row}.png" for row in range(len(CLASSES))],
            "class_id": np.array(CLASSES, np.int32),
            "class_name": [f"class {number}" for number in CLASSES],
            "split": ["test" if number > 2 else "train" for number in CLASSES],
        }
    )
    rows = [
        {"image": image, "position": position, "text": "a bird", "role": "caption"}
        for image in range(len(CLASSES))
        for position in range(CAPTIONS)
    ]
    rows += [
        {"image": image, "position": 0, "text": "a red bird", "role": "swap", "swap_of": of}
        for image, of in ((0, 0), (4, 9))
    ]
    descriptions = pd.DataFrame(rows)
    return images, descriptions.astype({"swap_of": "Int32"})


def write_inputs(root: Path) -> dict[str, Path]:
    """Write corpus, features, embeddings and sen; whatever is not train is NaN."""
    images, descriptions = corpus_tables()
    paths = {name: root / name for name in ("corpus", "features", "embeddings", "sen", "weights")}
    write_corpus(
        paths["corpus"],
        images,
        [b"-"] * len(images),
        descriptions,
        info={"kind": "test", "edition": "test"},
    )
    for name in ("features", "embeddings", "sen", "weights"):
        paths[name].mkdir()
    rng = np.random.default_rng(0)
    with PixelWriter(paths["features"]) as writer:
        for _ in range(len(images)):
            writer.append(rng.integers(0, 256, (SIDE, SIDE + 2, 3), np.uint8))
    train = images["split"].to_numpy() == "train"
    speech = rng.standard_normal((len(descriptions), EMBEDDING_DIM)).astype(np.float32)
    seen = rng.standard_normal((len(images), VIEWS, EMBEDDING_DIM)).astype(np.float32)
    speech[~train[descriptions["image"].to_numpy()]] = np.nan
    seen[~train] = np.nan
    write_array(paths["embeddings"] / "speech.npy", speech)
    write_array(paths["embeddings"] / "image.npy", seen)
    _write_speech(paths["features"], len(descriptions))
    write_json(paths["features"] / "mel.json", {"bands": BANDS})
    _write_sen(paths["sen"])
    return paths


def _write_speech(features: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    with RaggedWriter(features, "mel", np.float16, (BANDS,)) as writer:
        for _ in range(count):
            frames = rng.standard_normal((int(rng.integers(8, 20)), BANDS))
            writer.append(frames.astype(np.float16))


def speech_description() -> dict[str, Any]:
    """What ``sen.json`` says of a tiny speech encoder."""
    sizes = {
        "bands": BANDS,
        "channels": [4, 6],
        "kernel": 3,
        "stride": 2,
        "activation": "relu",
        "gru_hidden": 3,
        "gru_layers": 1,
        "attention_hidden": 4,
        "embedding_dim": EMBEDDING_DIM,
    }
    return {
        "encoder": "sed",
        "reads": "mel",
        "seed": 7,
        "speech_encoder": sizes,
        "mel": {"bands": BANDS},
    }


def _write_sen(sen: Path) -> None:
    # The trained encoder is one of another seed.
    description = speech_description()
    trained = build_seeded_encoder({**description, "seed": 8})
    write_weights(sen / SPEECH_WEIGHTS, trained.state_dict())
    write_json(sen / DESCRIPTION, {**description, "training": {"steps": 9}})


def unconditioned(_joint: nn.Module, given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """As a hook before a discriminator's joint layer: take the condition from it."""
    maps, condition = given
    return maps, torch.zeros_like(condition)
