"""A corpus learnt in seconds: classes are pairs of attributes, words are patterns of log-mel."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from s2igan.corpora.index import write_corpus
from s2igan.engine.arrays import RaggedWriter, write_array
from s2igan.engine.tables import write_json
from s2igan.sen.config import EmbedConfig, SenConfig

VALUES = 4  # values of each of the two attributes; a class is one combination
BANDS, WORD_FRAMES, FEATURE_DIM, VIEWS = 8, 10, 16, 3
WORDS = (("crimson", "white", "blue", "olive"), ("large", "tiny", "slender", "plump"))


def sen_config(**changes: Any) -> SenConfig:
    """A tiny configuration; ``changes`` replace single values."""
    values: dict[str, Any] = {
        "seed": 5,
        "encoder": "sed",
        "objective": "joint",
        "channels": [16, 16],
        "kernel": 6,
        "stride": 2,
        "activation": "none",
        "gru_hidden": 16,
        "gru_layers": 1,
        "attention_hidden": 16,
        "embedding_dim": 24,
        "matching_loss": True,
        "distinctive_loss": True,
        "distinctive_weight": 1.0,
        "beta": 10.0,
        "reduction": "mean",
        "steps": 12,
        "batch": 16,
        "lr": 5e-3,
        "betas": [0.95, 0.999],
        "weight_decay": 1e-3,
        "schedule": "cosine",
        "warmup_steps": 2,
        "decay_every_steps": 100,
        "decay_factor": 0.1,
        "precision": "float32",
        "time_masks": 0,
        "time_mask_frames": 0,
        "band_masks": 0,
        "band_mask_bands": 0,
        "frame_noise": 0.0,
        "feature_noise": 0.0,
        "feature_dropout": 0.0,
        "keep": "last",
        "log_every_steps": 4,
        "val_every_steps": 6,
        "checkpoint_every_steps": 5,
        "when_not_finite": "stop",
    }
    return SenConfig(**{**values, **changes})


def embed_config(**changes: Any) -> EmbedConfig:
    """A tiny configuration; ``changes`` replace single values."""
    values: dict[str, Any] = {
        "precision": "float32",
        "frames_per_batch": 512,
        "seed": 3,
        "chance_permutations": 3,
        "bootstrap_draws": 100,
    }
    return EmbedConfig(**{**values, **changes})


def write_synthetic(folder: Path, *, images_per_class: int = 4, has_classes: bool = True) -> None:
    """Write ``corpus`` and ``features`` of 10 train, 3 val, 3 test classes, and one swap row.

    Without classes the pictures are the same, but each is a class of its own.
    """
    rng = np.random.default_rng(0)
    splits = ["train"] * 10 + ["val"] * 3 + ["test"] * 3
    order = np.array([0, 5, 10, 15, 1, 6, 11, 12, 2, 7, 8, 13, 3, 4, 9, 14])  # every value in train
    images = pd.DataFrame(
        {
            "name": f"{order[c]:02d}_{i}.png",
            "class_id": c,
            "class_name": str(order[c]),
            "split": splits[c],
        }
        for c in range(len(order))
        for i in range(images_per_class)
    )
    descriptions = pd.DataFrame(
        {"image": image, "position": position, "role": "caption"}
        for image in range(len(images))
        for position in range(3)
    )
    swap = {
        "image": len(images) - 1,
        "position": 0,
        "role": "swap",
        "swap_of": len(descriptions) - 1,
    }
    descriptions = pd.concat([descriptions, pd.DataFrame([swap])], ignore_index=True)
    combinations = order[images["class_id"].to_numpy()]
    if not has_classes:
        images = images.assign(class_id=range(len(images)), class_name="")
    write_corpus(
        folder / "corpus",
        images,
        [_dot()] * len(images),
        descriptions,
        info={"kind": "synthetic", "edition": "test", "has_classes": has_classes},
    )
    _write_features(folder / "features", combinations, descriptions["image"].to_numpy(), rng)


def _write_features(
    folder: Path,
    combinations: npt.NDArray[np.int64],
    described: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    folder.mkdir(parents=True)
    words = rng.standard_normal((2, VALUES, WORD_FRAMES, BANDS))
    looks = rng.standard_normal((2, VALUES, FEATURE_DIM))
    values = np.stack([combinations // VALUES, combinations % VALUES], axis=1)  # (n, 2)
    features = looks[0, values[:, 0]] + looks[1, values[:, 1]]  # (n, D)
    noise = rng.standard_normal((len(values), VIEWS, FEATURE_DIM))
    write_array(folder / "backbone.npy", (features[:, None] + 0.3 * noise).astype(np.float32))
    write_json(folder / "backbone.json", {"names": ["looks"], "dimension": FEATURE_DIM})
    write_json(folder / "mel.json", {"bands": BANDS, "hop_ms": 10.0})
    with RaggedWriter(folder, "characters", np.uint8) as writer:
        for position, image in enumerate(described):
            written = [WORDS[part][values[image, part]] for part in (0, 1)]
            writer.append(" ".join(written[:: 1 if position % 2 else -1]).encode())
    with RaggedWriter(folder, "mel", np.float16, (BANDS,)) as writer:
        for image in described:
            spoken = [words[part, values[image, part]] for part in rng.permutation(2)]
            pause = np.zeros((rng.integers(2, 30), BANDS))
            frames = np.concatenate([spoken[0], pause, spoken[1], pause[::2]])
            writer.append((frames + 0.1 * rng.standard_normal(frames.shape)).astype(np.float16))


def _dot() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, format="PNG")
    return buffer.getvalue()
