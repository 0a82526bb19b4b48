"""Rebuild the shipped weights of `compact` or `reader` from freshly drawn MiniBirds.

    python -m s2igan.vision.train_attribute_reader compact
    python -m s2igan.vision.train_attribute_reader reader

Every attribute of a training drawing is drawn on its own. `compact` gets no drawing whose
combination of attributes is that of a test species; `reader`, which judges, may. The last
weights are taken; the accuracy on fresh drawings of the test species is told and nothing is chosen
by it. With one thread two runs on one machine give the same bytes.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.corpora.minibirds.species import read_species
from s2igan.engine.device import autocast
from s2igan.engine.progress import bar
from s2igan.engine.seeding import numpy_generator
from s2igan.engine.weights import write_weights
from s2igan.errors import EXIT_USER_ERROR, UserError
from s2igan.vision.attribute_networks import (
    CompactNetwork,
    ReaderNetwork,
    fold_normalisation,
    split_logits,
)
from s2igan.vision.augmentation import degrade, random_crops, through_resolution
from s2igan.vision.backbones import SHIPPED_WEIGHTS
from s2igan.vision.drawings import Labels, cached_drawings, random_labels
from s2igan.vision.interface import as_images

Network = CompactNetwork | ReaderNetwork
Drawings = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """How one of the two networks is trained.

    Attributes:
        network: its architecture.
        seed: of labels, drawings, initial weights and augmentation.
        sees_test_species: whether combinations of test species are among the drawings.
        epochs: times that every drawing is met.
    """

    network: type[Network]
    seed: int
    sees_test_species: bool
    epochs: int


RECIPES = {
    "compact": Recipe(CompactNetwork, seed=1, sees_test_species=False, epochs=10),
    "reader": Recipe(ReaderNetwork, seed=2, sees_test_species=True, epochs=8),
}
_DRAWINGS = 20_000
_TEST_SEED = 3
_PER_TEST_SPECIES = 30
_BATCH = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_SMOOTHING = 0.02


def test_species_labels(manifest: Path) -> Labels:
    """Return the attributes of the test species, ``(species, 8)``, indices of values."""
    species = [one for one in read_species(manifest) if one.split == "test"]
    return np.array(
        [[VALUES[name].index(one.attributes[name]) for name in ATTRIBUTES] for one in species]
    )


def is_among(labels: Labels, species: Labels) -> npt.NDArray[np.bool_]:
    """Tell which rows of ``labels`` are the combination of one of ``species``, ``(n,)``."""
    same: npt.NDArray[np.bool_] = (labels[:, None] == species[None]).all(axis=2).any(axis=1)
    return same


def fit(network: Network, drawings: Drawings, labels: Labels, *, epochs: int, seed: int) -> None:
    """Train a network in place: AdamW with warm-up and cosine, bfloat16, batches of 64."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    steps = epochs * (len(drawings) // _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    rng = numpy_generator(seed, 1)
    targets = torch.from_numpy(labels)
    rows = np.concatenate([_shuffled_batches(len(drawings), rng) for _ in range(epochs)])
    for batch in bar(rows, "train", total=steps):
        images = degrade(random_crops(drawings, batch, network.input_size, rng), rng)
        with autocast(torch.device("cpu"), "bfloat16"):
            _, logits = network(images * 2 - 1)
        loss = attribute_loss(logits.float(), targets[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()


def _shuffled_batches(count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return rng.permutation(count)[: count // _BATCH * _BATCH].reshape(-1, _BATCH)


def attribute_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the attributes; logits ``(N, LOGITS)``, labels ``(N, 8)``."""
    losses = [
        F.cross_entropy(part, labels[:, column], label_smoothing=_SMOOTHING)
        for column, part in enumerate(split_logits(logits).values())
    ]
    return torch.stack(losses).mean()


@torch.inference_mode()
def accuracy(network: Network, drawings: Drawings, labels: Labels, side: int) -> dict[str, float]:
    """Share of drawings whose attribute is read right, per attribute.

    Args:
        network: with its normalisation folded.
        drawings: ``(n, 76, 76, 3)`` uint8; their centre is read.
        labels: ``(n, 8)``.
        side: resolution that the drawings go through before, pixels.
    """
    margin = (drawings.shape[1] - network.input_size) // 2
    inner = slice(margin, margin + network.input_size)
    right = np.zeros(len(ATTRIBUTES))
    for rows in np.array_split(np.arange(len(drawings)), max(1, len(drawings) // 50)):
        images = through_resolution(as_images(drawings[rows][:, inner, inner]), side)
        _, logits = network(images * 2 - 1)
        read = torch.stack([part.argmax(dim=1) for part in split_logits(logits).values()], dim=1)
        right += (read.numpy() == labels[rows]).sum(axis=0)
    return dict(zip(ATTRIBUTES, (right / len(drawings)).tolist(), strict=True))


def initialised(network: type[Network], seed: int) -> Network:
    """Build a network to be trained, its weights drawn by ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(normalise=True)


def save(network: nn.Module, path: Path) -> None:
    """Write the weights as float16, which loses nothing that a reading depends on."""
    write_weights(path, {name: value.half() for name, value in network.state_dict().items()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, train, fold, report and save; bad input is told in one line, with code 2."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except UserError as error:
        sys.stderr.write(f"train_attribute_reader: {' '.join(str(error).split())}\n")
        return EXIT_USER_ERROR
    return 0


def _run(options: argparse.Namespace) -> None:
    recipe: Recipe = RECIPES[options.name]
    epochs = recipe.epochs if options.epochs is None else options.epochs
    out: Path = options.out or SHIPPED_WEIGHTS / f"{options.name}.safetensors"
    for option, value in (("--epochs", epochs), ("--workers", options.workers)):
        if value < 1:
            raise UserError(option, got=value, expected="at least 1")
    if not out.parent.is_dir():
        raise UserError("--out", got=f"no folder {str(out.parent)!r}")
    torch.set_num_threads(1)
    species = test_species_labels(options.manifest)
    labels = random_labels(_DRAWINGS, recipe.seed)
    drawings = cached_drawings(options.drawings, options.name, labels, recipe.seed, options.workers)
    if not recipe.sees_test_species:
        unseen = ~is_among(labels, species)
        drawings, labels = drawings[unseen], labels[unseen]
    network = initialised(recipe.network, recipe.seed)
    fit(network, drawings, labels, epochs=epochs, seed=recipe.seed)
    fold_normalisation(network)
    save(network, out)
    test_labels = species.repeat(_PER_TEST_SPECIES, axis=0)
    test = cached_drawings(options.drawings, "test", test_labels, _TEST_SEED, options.workers)
    for side in (64, 32):
        figures = accuracy(network, test, test_labels, side)
        shown = ", ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
        sys.stderr.write(f"{options.name} at {side} px on test species: {shown}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m s2igan.vision.train_attribute_reader",
        description="Rebuild the weights of compact or reader.",
    )
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, help="file to write; the shipped one by default")
    parser.add_argument("--manifest", type=Path, default=Path("data/minibirds.yaml"))
    parser.add_argument(
        "--drawings", type=Path, default=Path("artifacts/reader_drawings"), help="kept for reuse"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
