"""What the figures of a user's own pictures say, with classes and without."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from s2igan.engine.tables import write_table
from s2igan.evaluation.consistency import consistency_figures
from s2igan.evaluation.controls import control_figures
from s2igan.evaluation.diversity import diversity_figures
from s2igan.evaluation.figures import Resampling
from tests.evaluation.world import full, settings

RESAMPLING = Resampling(seed=0, permutations=5, draws=100)


def figures_of(folder: Path, *, has_classes: bool) -> dict[str, Any]:
    """Take the figures of a world that a user recorded, every picture showing the truth."""
    world = full(folder, attributes=False, text=False, fresh=False)
    world.write()
    path = folder / "corpus" / "corpus.json"
    info = json.loads(path.read_text()) | {"kind": "recorded", "has_classes": has_classes}
    path.write_text(json.dumps(info))
    if not has_classes:
        index = pd.read_parquet(folder / "corpus" / "index.parquet")
        index = index.assign(class_id=range(len(index)), class_name="")
        write_table(folder / "corpus" / "index.parquet", pa.Table.from_pandas(index))
    judged = world.judged()
    return {
        "consistency": consistency_figures(judged, RESAMPLING, settings()),
        "diversity": diversity_figures(judged, RESAMPLING),
        "controls": control_figures(judged, None, "none", folder / "embeddings", RESAMPLING),
    }


def sentences(group: Mapping[str, Any]) -> Iterator[str]:
    for item in group.values():
        if isinstance(item, Mapping):
            yield from item.get("absent", item.get("protocol", ()))
            yield from sentences(item)


def test_the_classes_of_a_user_are_no_species(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, has_classes=True)
    said = " ".join(sentences(figures))
    assert "species" not in said
    assert "same class is relevant" in said
    assert "24 pictures drawn for test classes, 2 captions per picture" in said
    assert "the speech of another class" in said
    assert "value" in figures["consistency"]["paper_protocol"]["mAP"]
    assert "value" in figures["controls"]["real"]["mAP"]


def test_without_classes_a_picture_looks_for_what_was_drawn_of_itself(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, has_classes=False)
    said = " ".join(sentences(figures))
    assert "species" not in said
    assert "same picture is relevant" in said
    assert "24 pictures drawn for test pictures, 2 captions per picture" in said
    assert "the speech of another picture" in said
    mAP = figures["consistency"]["all_pairs"]["mAP"]
    # Pictures of one species are drawn alike, so one of three is its own.
    assert mAP["chance"] < mAP["value"] < 1
    assert mAP["low"] < mAP["value"] < mAP["high"]
    for group in (
        figures["consistency"]["paper_protocol"],
        figures["diversity"]["real_of_one_species"],
        figures["controls"]["real"]["mAP"],
    ):
        assert list(group) == ["absent"]
        assert "classes" in group["absent"][0]


def test_birds_and_flowers_are_of_species(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    figures = consistency_figures(world.judged(), RESAMPLING, settings())
    assert "same species is relevant" in " ".join(sentences(figures))
