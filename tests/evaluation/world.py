"""A small world whose pictures carry their attributes in their pixels, and a judge to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from s2igan.corpora.attributes import ATTRIBUTES, COLOURS, VALUES
from s2igan.corpora.index import write_corpus
from s2igan.engine.arrays import RaggedWriter, write_array
from s2igan.engine.pictures import Picture, save_png
from s2igan.engine.tables import write_json, write_table
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.judge import Judge
from s2igan.evaluation.material import Judged, Material
from s2igan.vision.interface import Backbone, BackboneOutput

SIZE, PACKED = 16, 20
PER_SPECIES = {"train": 4, "val": 4, "test": 3, "reference": 6, "floor": 6}
TEST_SPECIES, TRAIN_SPECIES, VAL_SPECIES = 4, 3, 3
SPECIES = {
    "test": range(TEST_SPECIES),
    "train": range(TEST_SPECIES, TEST_SPECIES + TRAIN_SPECIES),
    "val": range(TEST_SPECIES + TRAIN_SPECIES, TEST_SPECIES + TRAIN_SPECIES + VAL_SPECIES),
}
DRAWING = {
    "split": "test",
    "noise": "per_utterance",
    "ca_noise": True,
    "truncation": None,
    "captions_per_picture": 2,
}

Values = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


def png_folder(folder: Path, pictures: Picture) -> str:
    """Write pictures as torch-fidelity reads them, and return the folder's name."""
    for number, picture in enumerate(pictures):
        save_png(folder / f"{number:03d}.png", picture)
    return str(folder)


def settings(**changes: Any) -> EvaluateConfig:
    """Settings that fit this world."""
    values: dict[str, Any] = {
        "backbone": "reader",
        "fidelity_backbone": None,
        "precision": "float32",
        "batch_size": 7,
        "seed": 3,
        "attribute_of_is": "belly",
        "is_splits": 2,
        "kid_subsets": 4,
        "kid_subset_size": 8,
        "crop": SIZE,
        "training_pictures": None,
        "neighbourhood": 2,
        "is_backbone": None,
        "queries": "drawn",
        "queries_per_class": 2,
        "mismatched_descriptions": 9,
        "chance_permutations": 5,
        "bootstrap_draws": 100,
        "grid_sentences": 3,
        "grid_pictures": 2,
        "swap_grid_pairs": 2,
    }
    return EvaluateConfig(**{**values, **changes})


def plant(values: Values, rng: np.random.Generator, size: int = SIZE) -> Pixels:
    """Draw a noisy picture whose centre square carries eight values in its first row."""
    picture = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    start = (size - SIZE) // 2
    picture[start, start : start + len(values), 0] = 20 * values + 10
    return picture


class PlantedBackbone(Backbone):
    """Reads planted values; its features are their one-hot codes and a little of the pixels."""

    def __init__(self, *, reads: bool = True, name: str = "planted") -> None:
        super().__init__(name, sum(map(len, VALUES.values())) + 2, SIZE)
        self.reads = reads
        self.pictures = 0

    def look(self, images: Tensor) -> BackboneOutput:
        self.pictures += len(images)
        codes = (images[:, 0, 0, : len(ATTRIBUTES)] * 255 / 20).long()  # (N, 8)
        logits = {
            name: 5.0 * torch.nn.functional.one_hot(codes[:, column], len(VALUES[name])).float()
            for column, name in enumerate(ATTRIBUTES)
        }
        rest = images[:, 1:, 1:].mean(dim=(2, 3))  # (N, 2)
        return BackboneOutput(
            torch.cat([*logits.values(), rest], dim=1), logits if self.reads else None
        )


@dataclass
class World:
    """A corpus, its packed pictures, embeddings and samples, to be planted and then written.

    ``drawn`` holds, per sample, the values that its picture shows.
    """

    folder: Path
    attributes: bool = True
    text: bool = True
    fresh: bool = True
    drawing: dict[str, Any] = field(default_factory=lambda: dict(DRAWING))
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def __post_init__(self) -> None:
        self.species = np.stack(
            [
                self.rng.integers(0, len(VALUES[name]), TEST_SPECIES + TRAIN_SPECIES + VAL_SPECIES)
                for name in ATTRIBUTES
            ],
            axis=1,
        )
        # No two species of a split are alike.
        self.species[:, 0] = np.arange(len(self.species)) % len(VALUES["crown"])
        self.images: list[dict[str, Any]] = [
            {"split": split, "class_id": number}
            for split, count in PER_SPECIES.items()
            if self.fresh or split in ("train", "val", "test")
            for number in SPECIES.get(split, SPECIES["test"])
            for _ in range(count)
        ]
        self.descriptions: list[dict[str, Any]] = [
            {"image": image, "position": position, "role": "caption", "mentions": mentions}
            for image, row in enumerate(self.images)
            if row["split"] in ("train", "val", "test")
            for position, mentions in enumerate((["crown", "belly"], ["wing", "size"]))
        ]
        self.samples: list[dict[str, Any]] = []
        self.drawn: list[Values] = []

    def truth(self, utterance: int) -> Values:
        """Values of the species that an utterance describes."""
        return np.array(self.species[self._species_of(utterance)], np.int64)

    def image_of(self, utterance: int) -> int:
        return int(self.descriptions[utterance]["image"])

    def _species_of(self, utterance: int) -> int:
        return int(self.images[self.image_of(utterance)]["class_id"])

    def captions(self, split: str = "test") -> list[int]:
        """Utterances that describe the pictures of a split."""
        return [
            utterance
            for utterance, row in enumerate(self.descriptions)
            if row["role"] == "caption" and self.images[self.image_of(utterance)]["split"] == split
        ]

    def sample(
        self, name: str, utterance: int, shows: Values, target: int | None = None, noise: int = 0
    ) -> None:
        """Add a drawn picture."""
        self.samples.append(
            {
                "set": name,
                "utterance": utterance,
                "target": utterance if target is None else target,
                "noise": noise,
            }
        )
        self.drawn.append(shows)

    def swap(self, original: int, attribute: str, value: str) -> int:
        """Add a changed sentence and return its utterance."""
        row = {
            **self.descriptions[original],
            "role": "swap",
            "swap_of": original,
            "swap_attribute": attribute,
            "swap_value": value,
        }
        self.descriptions.append(row)
        return len(self.descriptions) - 1

    def write(self) -> None:
        """Write all folders."""
        self._write_corpus()
        self._write_features()
        self._write_embeddings()
        folder = self.folder / "samples"
        folder.mkdir()
        pictures = np.stack([plant(values, self.rng) for values in self.drawn])
        write_array(folder / "images.npy", pictures)
        table = pa.Table.from_pandas(pd.DataFrame(self.samples), preserve_index=False)
        write_table(folder / "samples.parquet", table)
        write_json(folder / "samples.json", self.drawing)

    def material(self) -> Material:
        f = self.folder
        return Material(f / "corpus", f / "features", f / "samples", SIZE)

    def judged(self, backbone: Backbone | None = None) -> Judged:
        judge = Judge(backbone or PlantedBackbone(), torch.device("cpu"))
        return Judged.of(self.material(), judge)

    def _write_corpus(self) -> None:
        images = pd.DataFrame(self.images).assign(
            name=[f"image_{row:05d}.jpg" for row in range(len(self.images))],
            class_name=[f"species {row['class_id']}" for row in self.images],
        )
        if self.attributes:
            for column, name in enumerate(ATTRIBUTES):
                numbers = self.species[images["class_id"].to_numpy(), column]
                images[name] = [VALUES[name][number] for number in numbers]
        descriptions = pd.DataFrame(self.descriptions)
        if not self.attributes:
            descriptions = descriptions.drop(columns="mentions")
        if self.text:
            descriptions["text"] = [self._sentence(row) for row in self.descriptions]
        write_corpus(
            self.folder / "corpus",
            images,
            (b"picture" for _ in self.images),
            descriptions,
            info={"kind": "planted", "edition": "test"},
        )

    def _sentence(self, row: Mapping[str, Any]) -> str:
        values = self.species[self.images[row["image"]]["class_id"]]
        words = {name: VALUES[name][values[ATTRIBUTES.index(name)]] for name in row["mentions"]}
        if row.get("swap_attribute"):
            words[row["swap_attribute"]] = row["swap_value"]
        return "a bird with " + " and ".join(f"a {word} {name}" for name, word in words.items())

    def _write_features(self) -> None:
        folder = self.folder / "features"
        folder.mkdir()
        with RaggedWriter(folder, "pixels", "uint8") as pixels:
            for row in self.images:
                picture = plant(self.species[row["class_id"]], self.rng, PACKED)
                pixels.append(picture.reshape(-1))
        write_array(folder / "shapes.npy", np.full((len(self.images), 2), PACKED, np.int32))
        with RaggedWriter(folder, "mel", "float16", (40,)) as mel:
            for _ in self.descriptions:
                mel.append(self.rng.normal(size=(50, 40)))

    def _write_embeddings(self) -> None:
        """Speech embeddings equal those of the nearest training species' pictures."""
        folder = self.folder / "embeddings"
        folder.mkdir()
        codes = np.eye(len(self.species), dtype=np.float32)
        classes = np.array([row["class_id"] for row in self.images])
        write_array(folder / "image.npy", np.stack([codes[classes]] * 2, axis=1))
        heard = [TEST_SPECIES + classes[row["image"]] % TRAIN_SPECIES for row in self.descriptions]
        write_array(folder / "speech.npy", codes[heard])


def embed_truth(images: Tensor) -> Tensor:
    """Embed pictures where the speech of the species lies whose crown they show."""
    crowns = (images[:, 0, 0, ATTRIBUTES.index("crown")] * 255 / 20).long()
    heard = TEST_SPECIES + crowns % TRAIN_SPECIES
    return torch.nn.functional.one_hot(heard, sum(map(len, SPECIES.values()))).float()


def colour(word: str) -> int:
    """Number of a colour word."""
    return COLOURS.index(word)


def values(**named: int) -> Values:
    """Eight values, zero unless named."""
    return np.array([named.get(name, 0) for name in ATTRIBUTES], np.int64)


def full(
    folder: Path,
    shown: Sequence[str] = ("draws", "mismatched"),
    split: str = "test",
    **kind: Any,
) -> World:
    """A world in which every set of samples exists and every picture shows the truth."""
    world = World(folder, drawing={**DRAWING, "split": split}, **kind)
    utterances = world.captions(split)
    for place, utterance in enumerate(utterances):
        world.sample(split, utterance, world.truth(utterance), noise=place)
    if "draws" in shown:
        for utterance in utterances[::6]:
            for draw in range(8):
                world.sample("draws", utterance, world.truth(utterance), noise=draw)
    if "mismatched" in shown:
        for place, target in enumerate(utterances):
            other = utterances[(place + 6) % len(utterances)]
            world.sample("mismatched", other, world.truth(other), target=target, noise=place)
    return world
