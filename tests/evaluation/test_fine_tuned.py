"""Files of fine-tuned networks: what they say, and which are refused."""

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from s2igan.corpora.fine_tuning import FineTuning, file_name, read_fine_tuning
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.evaluation.fine_tuned import (
    FineTuned,
    classes_of,
    load_fine_tuned,
    trunk_of,
    write_fine_tuned,
)
from s2igan.vision.backbones import load_backbone
from s2igan.vision.interface import CLASSES
from tests.evaluation.colours import COLOURS, EDITION, KIND, write_colours

FILE = file_name(KIND)
VALUES: dict[str, Any] = {
    "backbone": "compact",
    "layers": "head",
    "kind": KIND,
    "edition": EDITION,
    "classes": list(COLOURS),
    "split": "test",
    "pictures": 44,
    "held_out": 4,
    "accuracy": 0.75,
    "steps": 60,
    "batch": 16,
    "views": 4,
    "lr": 0.02,
    "seed": 1,
    "crop": 17,
    "size": 16,
}


def facts(**changes: Any) -> FineTuning:
    return FineTuning(**{**VALUES, **changes})


def network(told: FineTuning) -> FineTuned:
    base = load_backbone("compact", Path())
    head = nn.Linear(base.dimension, len(told.classes))
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(0))
    return FineTuned(base, head, told).freeze()


def write(folder: Path, **changes: Any) -> FineTuned:
    told = facts(**changes)
    written = network(told)
    write_fine_tuned(folder / FILE, written, told)
    return written


def tensors(told: FineTuning) -> dict[str, Tensor]:
    return {f"head.{name}": value for name, value in network(told).head.state_dict().items()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    assert read_fine_tuning(tmp_path / FILE, KIND) == facts()
    data = (tmp_path / FILE).read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert json.loads(header["__metadata__"]["fine_tuned"]) == VALUES
    assert header.keys() == {"__metadata__", "head.weight", "head.bias"}


@pytest.mark.parametrize("layers", ["head", "all"])
def test_the_loaded_network_sees_what_the_written_one_saw(tmp_path: Path, layers: str) -> None:
    corpus = write_colours(tmp_path)
    told = facts(layers=layers)
    written = network(told)
    if layers == "all":
        parameter = written.base.get_parameter("network.stem.conv.weight")
        parameter.data += 0.01
    write_fine_tuned(tmp_path / FILE, written, told)
    loaded = load_fine_tuned(tmp_path, corpus)
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    mine, theirs = written(images), loaded(images)
    assert mine.logits is not None
    assert theirs.logits is not None
    assert theirs.logits.keys() == {CLASSES}
    assert theirs.logits[CLASSES].shape == (5, 4)
    torch.testing.assert_close(theirs.logits[CLASSES], mine.logits[CLASSES])
    torch.testing.assert_close(theirs.features, mine.features)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


def test_the_description_tells_how_the_network_came_about(tmp_path: Path) -> None:
    told = write(tmp_path, backbone="compact").description
    assert told == (
        "fine_tuned, the head alone trained on the 4 test classes (44 pictures of split test, "
        "corpus painted, edition flat, 17 px shown at 16 px; 60 steps of 16); tells 0.750 of 4 "
        "held-out pictures of these classes right; began as compact, 192 features, other "
        "sizes resized to 64 px, bilinear with antialiasing; weights fine_tuned_painted.safetensors"
    )
    assert "all layers trained" in write(tmp_path, layers="all").description


def test_classes_without_a_name_go_by_their_number(tmp_path: Path) -> None:
    corpus = write_colours(tmp_path)
    corpus.images.loc[corpus.images["class_name"] == "green", "class_name"] = None
    assert classes_of(corpus) == ["red", "3", "blue", "white"]


def test_classes_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    corpus = write_colours(tmp_path)
    corpus.images["class_id"] = corpus.images["class_id"].max() - corpus.images["class_id"]
    assert classes_of(corpus) == list(reversed(COLOURS))


def assert_refused(folder: Path, message: str, **corpus: Any) -> None:
    with pytest.raises(UserError, match=message) as error:
        load_fine_tuned(folder, write_colours(folder, **corpus))
    assert "\n" not in str(error.value)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    told = "make it with `python -m s2igan.evaluation.fine_tune`"
    assert_refused(tmp_path, f"{re.escape(told)}.* and run `dvc repro -f download`")


def test_a_file_of_another_corpus_is_refused(tmp_path: Path) -> None:
    write(tmp_path, kind="cub")
    assert_refused(tmp_path, f"got one for the corpus cub; expected one for {KIND}")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["red", "green", "blue"], "got 4 classes that differ in 'white'; expected the 3 test"),
        ([*COLOURS, "black"], "got 4 classes that differ in 'black'; expected the 5 test"),
    ],
)
def test_a_file_of_other_classes_is_refused(tmp_path: Path, names: list[str], told: str) -> None:
    write(tmp_path)
    assert_refused(tmp_path, f"{told}.* and run `dvc repro -f download`", names=names)


def test_a_corpus_without_classes_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    assert_refused(
        tmp_path, "belong to no classes.*evaluate.is_backbone to null", has_classes=False
    )


def test_pictures_of_other_captions_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UserError, match="with pictures of val; set it to null"):
        load_fine_tuned(tmp_path, write_colours(tmp_path), "val")


@pytest.mark.parametrize(
    "header",
    [
        None,
        {"other": "{}"},
        {"fine_tuned": "no JSON"},
        {"fine_tuned": json.dumps({**VALUES, "accuracy": 2.0})},
        {"fine_tuned": json.dumps({**VALUES, "trained_at": "noon"})},
    ],
)
def test_a_file_that_does_not_say_what_it_is_is_refused(
    tmp_path: Path, header: Mapping[str, str] | None
) -> None:
    write_weights(tmp_path / FILE, tensors(facts()), header)
    assert_refused(tmp_path, "does not say what it is")


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"weights")
    assert_refused(tmp_path, "does not say what it is")


def test_the_classifier_that_a_backbone_came_with_is_no_layer_to_learn() -> None:
    layers = {name.split(".")[1] for name in trunk_of(load_backbone("compact", Path()))}
    assert layers == {"stem", "same1", "down", "same2", "top"}


def test_weights_have_to_be_those_that_the_file_tells_of(tmp_path: Path) -> None:
    header = facts().header()
    held = tensors(facts())
    write_weights(tmp_path / FILE, {"head.bias": held["head.bias"]}, header)
    assert_refused(tmp_path, "got no head.weight")
    write_weights(tmp_path / FILE, {**held, "head.bias": torch.zeros(5)}, header)
    assert_refused(tmp_path, "got head.bias; expected the layers of this network alone")
    stem = {"base.network.stem.conv.bias": torch.zeros(64)}
    write_weights(tmp_path / FILE, {**held, **stem}, header)
    # A head alone brings no other layer.
    assert_refused(tmp_path, "got base.network.stem.conv.bias")
    write_weights(tmp_path / FILE, held, facts(layers="all").header())
    assert_refused(tmp_path, "got no base.network.stem.conv.weight")


def test_the_weights_of_the_backbone_have_to_be_there(tmp_path: Path) -> None:
    write(tmp_path, backbone="squeezenet1_1/keras")
    assert_refused(tmp_path, "squeezenet1_1.notop.safetensors")
