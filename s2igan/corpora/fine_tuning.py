"""What a file of fine-tuned weights says of itself, and where it lies among the archives.

The inception score of the paper's tables is taken from an Inception-v3 that was fine-tuned on the
test classes. Such a network is made by ``python -m s2igan.evaluation.fine_tune``; its file states
in the safetensors header what it was made of.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open

from s2igan.engine.section import Section
from s2igan.errors import UserError

FINE_TUNED: Final = "fine_tuned"
"""The name that ``evaluate.is_backbone`` takes, and the key of the header."""


class FineTuning(Section):
    """What was fine-tuned, on what, and how well it does.

    Attributes:
        backbone: the network that it began as, such as ``inception_v3/torchvision``.
        layers: head = a linear classifier on the frozen network; all = its layers, too.
        kind: of the corpus.
        edition: of the corpus.
        classes: their names, in the order of the logits.
        split: of the pictures that were learnt.
        pictures: how many were learnt.
        held_out: how many others of the same classes were not.
        accuracy: share of ``held_out`` whose class is told right.
        steps: updates; with all layers as many again came before, of the head alone.
        batch: pictures per update.
        views: random crops of each picture that the head alone learnt.
        lr: the head's learning rate; other layers had a tenth of it.
        seed: of the held-out pictures, the crops and the batches.
        crop: side of the squares cut out of the packed pictures, px.
        size: side that they were brought to before the network saw them, px.
    """

    backbone: str
    layers: Literal["head", "all"]
    kind: str
    edition: str
    classes: Annotated[list[str], Field(min_length=2)]
    split: str
    pictures: int = Field(ge=1)
    held_out: int = Field(ge=1)
    accuracy: float = Field(ge=0, le=1)
    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    views: int = Field(ge=1)
    lr: float = Field(gt=0)
    seed: int = Field(ge=0)
    crop: int = Field(ge=1)
    size: int = Field(ge=1)

    def header(self) -> Mapping[str, str]:
        """Return the metadata of the file: one key, since the order of several is not fixed."""
        return {FINE_TUNED: self.model_dump_json()}


def file_name(kind: str) -> str:
    """Name the file of a corpus of this kind."""
    return f"{FINE_TUNED}_{kind}.safetensors"


def of_corpus(network: str, kind: str) -> str:
    """Name a network as ``data/weights.yaml`` does, which lists a fine-tuned one per kind."""
    return f"{FINE_TUNED}/{kind}" if network == FINE_TUNED else network


def read_fine_tuning(path: Path, kind: str) -> FineTuning:
    """Read what a file says of itself; ``kind`` is of the corpus whose pictures are judged.

    Raises:
        UserError: if the file is missing or broken, says nothing, or is made for another corpus.
    """
    what = f"fine-tuned network {path.name!r}"
    if not path.is_file():
        raise UserError(
            what,
            got=f"no file {str(path)!r}",
            fix="make it with `python -m s2igan.evaluation.fine_tune`, put it among the archives "
            "and run `dvc repro -f download`",
        )
    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
        facts = FineTuning.model_validate_json(header.get(FINE_TUNED, "null"))
    except (SafetensorError, ValidationError) as error:
        raise UserError(
            what,
            got="a file that does not say what it is",
            expected="one that `python -m s2igan.evaluation.fine_tune` wrote",
        ) from error
    if facts.kind != kind:
        raise UserError(what, got=f"one for the corpus {facts.kind}", expected=f"one for {kind}")
    return facts
