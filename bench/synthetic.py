"""Artifacts of the right shapes with random content, so that speed is measured without a corpus."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.models import inception_v3

from s2igan.config import Params
from s2igan.corpora.index import write_corpus
from s2igan.engine.arrays import RaggedWriter, write_array
from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.sen.artifact import save_sen
from s2igan.sen.model import build_model
from s2igan.vision.backbones import load_backbone
from s2igan.vision.pixels import PixelWriter
from s2igan.vision.weight_files import WEIGHT_FILES

CLASSES, CAPTIONS = 8, 2
SENTENCE = "this small bird has a red crown, brown wings and a short pointed bill"
FRAMES = (300, 700)  # of an utterance, 10 ms each: three to seven seconds


def write_artifacts(folder: Path, params: Params, pictures: int = 256) -> None:
    """Write corpus, features, embeddings, sen and weights as the pipeline would, of noise.

    Args:
        folder: an empty folder.
        params: whose sizes the artifacts get.
        pictures: training pictures, spread over :data:`CLASSES` classes, two captions each.
    """
    for name in ("features", "embeddings", "sen", "weights"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    write_tables(folder / "corpus", pictures)
    _write_weights(folder / "weights", params.features.backbones)
    names = params.features.backbones
    dimension = sum(load_backbone(name, folder / "weights").dimension for name in names)
    _write_features(folder / "features", params, pictures, dimension, rng)
    _write_sen(folder, params, dimension)
    size = params.sen.embedding_dim
    for name, shape in (
        ("speech", (pictures * CAPTIONS, size)),
        ("image", (pictures, params.features.views, size)),
    ):
        values = rng.standard_normal(shape, np.float32)
        unit = values / np.linalg.norm(values, axis=-1, keepdims=True)
        write_array(folder / "embeddings" / f"{name}.npy", unit)


def write_tables(corpus: Path, pictures: int) -> None:
    """Write an index of ``pictures`` training pictures and their captions; all show one pixel."""
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "PNG")
    classes = np.arange(pictures, dtype=np.int32) % CLASSES
    images = pd.DataFrame(
        {
            "name": [f"{row}.png" for row in range(pictures)],
            "class_id": classes,
            "class_name": [f"class {number}" for number in classes],
            "split": "train",
        }
    )
    descriptions = pd.DataFrame(
        [
            {"image": image, "position": position, "text": SENTENCE, "role": "caption"}
            for image in range(pictures)
            for position in range(CAPTIONS)
        ]
    )
    write_corpus(
        corpus,
        images,
        [dot.getvalue()] * pictures,
        descriptions,
        info={"kind": "synthetic", "edition": "bench"},
    )


def _write_weights(folder: Path, names: list[str]) -> None:
    if any(name.startswith("inception_v3/torchvision") for name in names):
        torch.manual_seed(0)
        state = inception_v3(weights=None, init_weights=False).state_dict()
        torch.save(state, folder / WEIGHT_FILES["inception_v3/torchvision"][0])


def _write_features(
    folder: Path, params: Params, pictures: int, dimension: int, rng: np.random.Generator
) -> None:
    vision, bands = params.features, params.features.mel.bands
    side = vision.shorter_side
    with PixelWriter(folder) as pixels:
        for _ in range(pictures):
            pixels.append(rng.integers(0, 256, (side, side + side // 8, 3), np.uint8))
    with RaggedWriter(folder, "mel", np.float16, (bands,)) as mel:
        for length in rng.integers(*FRAMES, pictures * CAPTIONS):
            mel.append(rng.standard_normal((length, bands), np.float32).astype(np.float16))
    write_json(folder / "mel.json", {"bands": bands})
    shape = (pictures, vision.views, dimension)
    write_array(folder / "backbone.npy", rng.standard_normal(shape, np.float32))
    write_json(folder / "backbone.json", {"names": vision.backbones, "dimension": dimension})
    statistics = {"mean": torch.zeros(dimension), "std": torch.ones(dimension)}
    write_weights(folder / "backbone.safetensors", statistics)


def _write_sen(folder: Path, params: Params, dimension: int) -> None:
    config = params.sen
    bands = params.features.mel.bands
    model = build_model(
        config, bands=bands, feature_dim=dimension, classes=CLASSES, distinctive=True
    )
    save_sen(
        folder / "sen",
        model.speech_encoder,
        model.image_encoder,
        encoder=config.encoder,
        objective=config.objective,
        seed=config.seed,
        mel={"bands": bands},
        backbones=params.features.backbones,
        training={},
    )
