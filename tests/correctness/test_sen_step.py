"""One whole update of SEN against an independent one, term by term and gradient by gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from s2igan.engine.session import plain_session
from s2igan.sen.data import SenData
from s2igan.sen.train import SenTraining
from tests.correctness import plain_sen as plain
from tests.correctness.plain_adam import moved, watch_gradients
from tests.sen.synthetic import sen_config, write_synthetic

UPDATES = 3

KINDS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum", "activation": "relu", "gru_layers": 2, "weight_decay": 0.0},
    {"distinctive_weight": 0.3, "embedding_dim": 32, "beta": 4.0},
    {"distinctive_loss": False},
    {"matching_loss": False},
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_synthetic(folder)
    return folder


def started(inputs: Path, **changes: Any) -> SenTraining:
    config = sen_config(batch=12, **changes)
    training = SenTraining(config, SenData(inputs / "corpus", inputs / "features"), plain_session())
    training.model.train()
    return training


def expected_terms(
    training: SenTraining, leaves: dict[str, Tensor], batch: Any
) -> dict[str, Tensor]:
    config = training.config
    speech_state, image_state, classifier = (
        plain.below(leaves, prefix)
        for prefix in ("speech_encoder.", "image_encoder.", "objective.classifier.")
    )
    lengths = batch.lengths.tolist()
    utterances = [
        frames[:length].double() for frames, length in zip(batch.frames, lengths, strict=True)
    ]
    speech = plain.speech_embeddings(
        speech_state, utterances, config.stride, config.activation == "relu"
    )
    image = plain.image_embeddings(image_state, batch.features.double())
    labels = batch.labels.tolist()
    share = len(labels) if config.reduction == "mean" else 1
    terms: dict[str, Tensor] = {}
    if config.matching_loss:
        terms["matching"] = plain.matching(speech, image, labels, config.beta) / share
    if config.distinctive_loss:
        terms["distinctive"] = plain.distinctive(classifier, speech, image, labels) / share
    weights = {"matching": 1.0, "distinctive": config.distinctive_weight}
    terms["loss"] = sum((weights[k] * v for k, v in terms.items()), torch.zeros(()))
    return terms


@pytest.mark.parametrize("changes", KINDS, ids=lambda changes: "-".join(map(str, changes)) or "all")
def test_an_update_is_the_papers(inputs: Path, changes: dict[str, Any]) -> None:
    training = started(inputs, **changes)
    batch = training.placed(training.stream[0])
    assert len(set(batch.labels.tolist())) < len(batch.labels)  # the mask of eq. (2) has work
    assert len(set(batch.lengths.tolist())) > 1  # and there is padding
    leaves = {
        name: value.detach().double().clone().requires_grad_(True)
        for name, value in training.model.named_parameters()
    }
    expected = expected_terms(training, leaves, batch)
    torch.autograd.backward(expected["loss"])
    training._update(batch)
    assert training.curves._sums.keys() == expected.keys()
    for name, value in training.curves._sums.items():
        torch.testing.assert_close(value.double(), expected[name].detach(), rtol=1e-5, atol=0)
    largest = max(float(leaf.grad.abs().max()) for leaf in leaves.values() if leaf.grad is not None)
    for name, weight in training.model.named_parameters():
        leaf = leaves[name]
        given = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        assert weight.grad is not None or leaf.grad is None
        if weight.grad is None:
            torch.testing.assert_close(weight.detach().double(), leaf.detach())
            continue
        torch.testing.assert_close(weight.grad.double(), given, atol=1e-5 * largest, rtol=1e-3)


def test_updates_of_adam_are_its_formula(inputs: Path) -> None:
    # In the first update the decay rates cancel.
    betas, penalty, rate = [0.3, 0.9], 0.05, 4e-3
    training = started(inputs, betas=betas, weight_decay=penalty, lr=rate, warmup_steps=UPDATES)
    before = {name: p.detach().double() for name, p in training.model.named_parameters()}
    gradients = watch_gradients(training.optimizer)
    for step in range(UPDATES):
        training.step = step
        training._update(training.placed(training.stream[step]))
    rates = [rate * (step + 1) / UPDATES for step in range(UPDATES)]
    for name, parameter in training.model.named_parameters():
        expected = moved(before[name], gradients[parameter], rates, betas, penalty)
        found = parameter.detach().double()
        torch.testing.assert_close(found, expected, atol=rate * 2e-2, rtol=0)


def test_no_gradient_is_carried_into_the_next_update(inputs: Path) -> None:
    # Where no weight moves to speak of, a batch gives the same gradients again.
    training = started(inputs, lr=1e-12, warmup_steps=0)
    gradients = watch_gradients(training.optimizer)
    batch = training.placed(training.stream[0])
    for _ in range(2):
        training._update(batch)
    for first, second in gradients.values():
        torch.testing.assert_close(second, first, atol=1e-6, rtol=1e-3)


def test_the_backbone_and_the_data_are_only_read(inputs: Path) -> None:
    training = started(inputs)
    kept = [training.data.backbone.copy(), training.stream[1].frames.clone()]
    for step in range(2):
        training._update(training.placed(training.stream[step]))
    assert (training.data.backbone == kept[0]).all()
    torch.testing.assert_close(training.stream[1].frames, kept[1], atol=0, rtol=0)
