"""A network fine-tuned on the test classes, from whose softmax the inception score is taken.

The extractor behind the inception scores of StackGAN's successors, the paper among them, is an
Inception-v3 fine-tuned so. Its published file is out of reach; :mod:`s2igan.evaluation.fine_tune`
makes one of any backbone.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from s2igan.corpora.fine_tuning import FineTuning, file_name, read_fine_tuning
from s2igan.corpora.index import Corpus
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.evaluation.networks import load_judge
from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput
from s2igan.vision.names import FINE_TUNED
from s2igan.vision.weight_files import read_tensors, refuse_missing, refuse_strange

_CLASSIFIER = "classifier"


class FineTuned(Backbone):
    """A backbone with a linear classifier of the test classes on its features.

    Args:
        base: the backbone; its own layers may have been fine-tuned, too.
        head: from D features to K classes.
        facts: what it was made of.
    """

    def __init__(self, base: Backbone, head: nn.Linear, facts: FineTuning) -> None:
        super().__init__(
            FINE_TUNED,
            base.dimension,
            base.input_size,
            missing=base.missing,
            file=file_name(facts.kind),
            recipe=tell(facts, base.description),
        )
        self.base = base
        self.head = head

    @property
    def description(self) -> str:
        """What was fine-tuned on what and how well it does, as protocols quote it."""
        return f"{self.name}, {self.recipe}; weights {self.file}"

    def forward(self, images: Tensor) -> BackboneOutput:
        """Look at pictures, ``(N, 3, H, W)`` in [0, 1], resized as the backbone does."""
        features = self.base(images).features.float()  # (N, D)
        return BackboneOutput(features, {CLASSES: self.head(features)})  # (N, K)

    def look(self, images: Tensor) -> BackboneOutput:
        """See pictures, ``(N, 3, H, W)`` in [0, 1]."""
        return self.forward(images)


def tell(facts: FineTuning, base: str) -> str:
    """Say in words what a fine-tuned network is made of; ``base`` describes the backbone."""
    trained = "the head alone" if facts.layers == "head" else "all layers"
    return (
        f"{trained} trained on the {len(facts.classes)} test classes ({facts.pictures} pictures of "
        f"split {facts.split}, corpus {facts.kind}, edition {facts.edition}, {facts.crop} px shown "
        f"at {facts.size} px; {facts.steps} steps of {facts.batch}); tells {facts.accuracy:.3f} of "
        f"{facts.held_out} held-out pictures of these classes right; began as {base}"
    )


def trunk_of(base: Backbone) -> dict[str, nn.Parameter]:
    """Return the parameters in front of the backbone's own classifier, by name."""
    return {
        name: parameter
        for name, parameter in base.named_parameters()
        if _CLASSIFIER not in name.split(".")
    }


def classes_of(corpus: Corpus) -> list[str]:
    """Name the test classes, in the order of their numbers.

    A class without a name goes by its number.

    Raises:
        UserError: if the pictures of the corpus belong to no classes.
    """
    if not corpus.has_classes:
        raise UserError(
            "the inception score of a fine-tuned network",
            got="a corpus whose pictures belong to no classes",
            fix="set evaluate.is_backbone to null",
        )
    images = corpus.images[corpus.images["split"] == "test"]
    named = images.drop_duplicates("class_id").sort_values("class_id")
    return named["class_name"].fillna(named["class_id"].astype(str)).tolist()


def write_fine_tuned(path: Path, network: FineTuned, facts: FineTuning) -> None:
    """Write the layers that were trained and what they were trained on, without times and paths."""
    tensors: dict[str, Tensor] = {
        f"head.{name}": value for name, value in network.head.state_dict().items()
    }
    if facts.layers == "all":
        tensors |= {f"base.{name}": value for name, value in trunk_of(network.base).items()}
    write_weights(path, tensors, facts.header())


def load_fine_tuned(weights: Path, corpus: Corpus, split: str = "test") -> FineTuned:
    """Load the fine-tuned network of a corpus, frozen.

    Args:
        weights: folder of weight files, that of the backbone among them.
        corpus: whose pictures are judged.
        split: whose captions were drawn.

    Raises:
        UserError: if a file is missing or broken, or was made for another corpus or for other
            classes than those that the corpus tests on; or if other captions were drawn.
    """
    if split != "test":
        raise UserError(
            "evaluate.is_backbone",
            got=f"{FINE_TUNED!r}, which tells the test classes apart, with pictures of {split}",
            fix="set it to null where sample.split is not test",
        )
    kind = str(corpus.info["kind"])
    path = weights / file_name(kind)
    facts = read_fine_tuning(path, kind)
    _refuse_other_classes(path, facts.classes, classes_of(corpus))
    base = load_judge(facts.backbone, weights)
    head = nn.Linear(base.dimension, len(facts.classes))
    trunk = trunk_of(base) if facts.layers == "all" else {}
    places: Mapping[str, Tensor] = {
        **{f"head.{name}": value for name, value in head.state_dict().items()},
        **{f"base.{name}": value for name, value in trunk.items()},
    }
    tensors = read_tensors(path)
    refuse_missing(path, [name for name in places if name not in tensors])
    refuse_strange(path, tensors, {name: value.shape for name, value in places.items()})
    network = FineTuned(base, head, facts)
    network.load_state_dict(tensors, strict=False)
    return network.freeze()


def _refuse_other_classes(path: Path, got: list[str], expected: list[str]) -> None:
    differing = sorted(set(got) ^ set(expected))
    if differing:
        raise UserError(
            f"fine-tuned network {path.name!r}",
            got=f"{len(got)} classes that differ in {differing[0]!r}",
            expected=f"the {len(expected)} test classes of the corpus",
            fix="make it again with `python -m s2igan.evaluation.fine_tune` and run "
            "`dvc repro -f download`",
        )
