"""Synthetic outcomes of variants."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s2igan.comparison.figures import Entry
from s2igan.comparison.outcome import CLASSES, GENERATION, RETRIEVAL, ROW_PICTURE, Outcome
from s2igan.comparison.variants import Variant
from s2igan.config import Params, read_params

ROOT = Path(__file__).parents[2]
ALL_PAIRS = "consistency/all_pairs/mAP"
DESCRIBED = 255  # shade of the described pictures


def params() -> Params:
    return read_params(ROOT / "presets" / "smoke.yaml")


def variant(row: str = "s2igan", seed: int = 1, values: Params | None = None) -> Variant:
    known = values or params()
    return Variant(f"{row}-s{seed}", row, seed, known, known.model_dump(mode="json"))


def figure(value: float, *protocol: str, **more: float) -> dict[str, Any]:
    return {"value": value, **more, "protocol": list(protocol)}


def outcome(
    by_class: Sequence[float],
    fid: float = 20.0,
    *,
    row: str = "s2igan",
    seed: int = 1,
    values: Params | None = None,
    shade: int = 100,
    protocol: str = "cosine",
    chance: float = 0.05,
) -> Outcome:
    """Make an outcome whose mAP over all pairs is the mean of ``by_class``, ten values each."""
    lines = ["figure\tclass\tsum\tcount"]
    lines += [f"{ALL_PAIRS}\tclass {n}\t{10 * v}\t10" for n, v in enumerate(by_class)]
    generation = {
        "fidelity": {
            "generated": {"FID": figure(fid, "the corpus", "96 features")},
            "floor": {"FID": figure(0.25, "the corpus", "96 features")},
        },
        "consistency": {
            "all_pairs": {
                "mAP": figure(float(np.mean(by_class)), "the corpus", protocol, chance=chance)
            }
        },
        "keywords": {"absent": ["no attributes are known"]},
        "controls": {"real": {"mAP": figure(0.875, "the corpus")}},
    }
    picture = io.BytesIO()
    described, drawn = np.full((8, 16, 3), DESCRIBED), np.full((8, 16, 3), shade)
    both = np.concatenate([described, drawn]).astype(np.uint8)
    Image.fromarray(both).save(picture, format="PNG")
    files: Mapping[str, bytes] = {
        GENERATION: json.dumps(generation).encode(),
        RETRIEVAL: json.dumps({"speech_to_image": {"mAP": figure(0.5, "SEN")}}).encode(),
        CLASSES: ("\n".join(lines) + "\n").encode(),
        ROW_PICTURE: picture.getvalue(),
    }
    return Outcome(variant(row, seed, values), files.get)


def entry(name: str, *outcomes: Outcome, note: str | None = None) -> Entry:
    return Entry(name, f"title of {name}", note, {o.variant.seed: o for o in outcomes})
