"""How a network is fine-tuned on classes: its classifier first, then, if asked for, every layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.corpora.fine_tuning import FineTuning
from s2igan.corpora.index import Corpus
from s2igan.engine.progress import bar
from s2igan.engine.seeding import numpy_generator
from s2igan.evaluation.fine_tuned import FineTuned, classes_of, trunk_of
from s2igan.evaluation.labelled import SPLIT, Pictures, hold_out
from s2igan.vision.interface import Backbone

_SLOWER = 0.1
_WEIGHT_DECAY = 1e-4
_STILL = 1e-6


@dataclass(frozen=True)
class Recipe:
    """How a network is fine-tuned.

    Attributes:
        layers: head = the classifier alone; all = then every layer too.
        steps: updates of the classifier, and once more of all layers.
        batch: pictures per update.
        views: random crops of each picture that the classifier alone learns.
        lr: Adam's rate for the classifier, falling to 0 along a cosine.
        seed: of the held-out pictures, the crops and the batches.
    """

    layers: Literal["head", "all"] = "head"
    steps: int = 1000
    batch: int = 64
    views: int = 4
    lr: float = 1e-3
    seed: int = 1


class Classifier(nn.Module):
    """A linear layer, zero at first, on features that it standardises.

    Args:
        features: ``(n, D)``, whose mean and deviation it takes.
        classes: K.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, features: Tensor, classes: int) -> None:
        super().__init__()
        spread = features.std(dim=0)
        self.register_buffer("mean", features.mean(dim=0))
        self.register_buffer("spread", torch.where(spread < _STILL, 1.0, spread))
        self.linear = nn.Linear(features.shape[1], classes, device=features.device)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(N, D)`` to logits ``(N, K)``."""
        logits: Tensor = self.linear((features - self.mean) / self.spread)
        return logits

    @torch.no_grad()
    def folded(self) -> nn.Linear:
        """Return the same map as one linear layer of the features as they are."""
        layer = nn.Linear(len(self.mean), len(self.linear.bias), device=self.mean.device)
        layer.weight.copy_(self.linear.weight / self.spread)
        layer.bias.copy_(self.linear.bias - layer.weight @ self.mean)
        return layer


class Descent:
    """Adam whose rates fall to 0 along a cosine.

    Args:
        groups: parameters by their learning rate.
        steps: updates.
    """

    def __init__(self, groups: Sequence[tuple[float, Sequence[nn.Parameter]]], steps: int) -> None:
        self.optimiser = torch.optim.AdamW(
            [{"params": list(parameters), "lr": lr} for lr, parameters in groups],
            weight_decay=_WEIGHT_DECAY,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, steps)

    def step(self, loss: Tensor) -> None:
        """Go one step down."""
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.schedule.step()


@torch.no_grad()
def view_features(base: Backbone, pictures: Pictures, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Look at several random crops of every picture, once.

    Returns:
        Features ``(views * n, D)`` and labels ``(views * n,)`` on the backbone's device.
    """
    device = next(base.parameters()).device
    rng = numpy_generator(recipe.seed, 1)
    parts = [part for _ in range(recipe.views) for part in pictures.batches(recipe.batch)]
    seen = [base(part.squares(rng).to(device)).features.float() for part in bar(parts, "look")]
    labels = torch.from_numpy(np.concatenate([part.labels for part in parts]))
    return torch.cat(seen), labels.to(device)


def train_head(features: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> Classifier:
    """Train a classifier of features ``(n, D)`` with labels ``(n,)`` below ``classes``."""
    head = Classifier(features, classes)
    descent = Descent([(recipe.lr, list(head.parameters()))], recipe.steps)
    rng = numpy_generator(recipe.seed, 2)
    for _ in bar(range(recipe.steps), "train the head"):
        chosen = torch.from_numpy(rng.integers(0, len(labels), recipe.batch)).to(labels.device)
        descent.step(F.cross_entropy(head(features[chosen]), labels[chosen]))
    return head


def train_all(base: Backbone, head: Classifier, pictures: Pictures, recipe: Recipe) -> None:
    """Train backbone and head in place."""
    device = next(base.parameters()).device
    trunk = list(trunk_of(base).values())
    for parameter in trunk:
        parameter.requires_grad_(True)
    groups = [(recipe.lr, list(head.parameters())), (recipe.lr * _SLOWER, trunk)]
    descent = Descent(groups, recipe.steps)
    rng = numpy_generator(recipe.seed, 3)
    for _ in bar(range(recipe.steps), "train all layers"):
        batch = pictures.take(rng.integers(0, len(pictures), recipe.batch))
        logits = head(base(batch.squares(rng).to(device)).features.float())
        descent.step(F.cross_entropy(logits, torch.from_numpy(batch.labels).to(device)))


@torch.no_grad()
def accuracy_of(base: Backbone, head: nn.Linear, pictures: Pictures, batch: int) -> float:
    """Return the share of pictures, unflipped centres, whose class is told right."""
    device = next(base.parameters()).device
    right = 0
    for part in pictures.batches(batch):
        told = head(base(part.squares(None).to(device)).features.float()).argmax(dim=1)
        right += int((told.cpu().numpy() == part.labels).sum())
    return right / len(pictures)


def fine_tune(
    corpus: Corpus, pictures: Pictures, base: Backbone, backbone: str, recipe: Recipe
) -> tuple[FineTuned, FineTuning]:
    """Fine-tune a backbone on the pictures of the test classes, but for those held out.

    Args:
        corpus: whose pictures.
        pictures: all of the test classes.
        base: frozen, on the device to compute on; with all layers it changes.
        backbone: its name.
        recipe: what is trained, and how.

    Returns:
        The network, frozen, and what it was made of.
    """
    classes = classes_of(corpus)
    learnt, held_out = hold_out(pictures, recipe.seed)
    features, labels = view_features(base, learnt, recipe)
    classifier = train_head(features, labels, len(classes), recipe)
    if recipe.layers == "all":
        train_all(base, classifier, learnt, recipe)
    head = classifier.folded()
    facts = FineTuning(
        backbone=backbone,
        layers=recipe.layers,
        kind=corpus.info["kind"],
        edition=corpus.info["edition"],
        classes=classes,
        split=SPLIT,
        pictures=len(learnt),
        held_out=len(held_out),
        accuracy=accuracy_of(base, head, held_out, recipe.batch),
        steps=recipe.steps,
        batch=recipe.batch,
        views=recipe.views,
        lr=recipe.lr,
        seed=recipe.seed,
        crop=pictures.crop,
        size=pictures.size,
    )
    return FineTuned(base, head, facts).freeze(), facts
