"""Losses against NumPy loops written from the paper's equations."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional as F

from s2igan.sen.losses import (
    Reduction,
    SenObjective,
    distinctive_loss,
    matching_loss,
    same_class_mask,
)

Array = npt.NDArray[np.float64]


def unit(count: int, size: int, seed: int) -> torch.Tensor:
    return F.normalize(
        torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def reference_direction(asked: Array, searched: Array, labels: list[int], beta: float) -> Array:
    losses = []
    for i, query in enumerate(asked):
        matched = np.exp(beta * query @ searched[i])
        total = sum(
            np.exp(beta * query @ candidate)
            for j, candidate in enumerate(searched)
            if labels[i] != labels[j] or i == j
        )
        losses.append(-np.log(matched / total))
    return np.array(losses)


def reference_class_loss(logits: Array, labels: list[int]) -> Array:
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.array([-np.log(shares[i, label]) for i, label in enumerate(labels)])


def test_the_mask_deactivates_other_pairs_of_the_same_class() -> None:
    mask = same_class_mask(torch.tensor([7, 3, 7]))
    assert mask.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("beta", [1.0, 10.0])
@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [0, 1, 0, 1, 0], [2, 2, 2, 2, 2]])
def test_matching_loss_is_equations_1_to_4(
    labels: list[int], beta: float, reduction: Reduction
) -> None:
    speech, image = unit(5, 6, 0), unit(5, 6, 1)
    a, v = speech.double().numpy(), image.double().numpy()
    per_pair = reference_direction(a, v, labels, beta) + reference_direction(v, a, labels, beta)
    expected = per_pair.mean() if reduction == "mean" else per_pair.sum()
    got = matching_loss(speech, image, torch.tensor(labels), beta, reduction)
    assert got.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_two_directions_differ() -> None:
    speech, image = unit(4, 3, 2), unit(4, 3, 3)
    labels = [0, 1, 2, 0]
    a, v = speech.double().numpy(), image.double().numpy()
    forward = reference_direction(a, v, labels, 10.0).mean()
    backward = reference_direction(v, a, labels, 10.0).mean()
    assert abs(forward - backward) > 1e-3
    both = matching_loss(speech, image, torch.tensor(labels), 10.0).item()
    assert both == pytest.approx(forward + backward, rel=1e-5)


def test_equal_embeddings_are_a_guess_among_the_batch() -> None:
    same = unit(1, 4, 0).expand(6, 4)
    loss = matching_loss(same, same, torch.arange(6), 10.0)
    assert loss.item() == pytest.approx(2 * np.log(6), rel=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_distinctive_loss_is_equation_5(reduction: Reduction) -> None:
    generator = torch.Generator().manual_seed(4)
    speech, image = torch.randn(2, 5, 3, generator=generator)
    labels = [0, 2, 1, 1, 0]
    per_pair = reference_class_loss(speech.double().numpy(), labels)
    per_pair = per_pair + reference_class_loss(image.double().numpy(), labels)
    expected = per_pair.mean() if reduction == "mean" else per_pair.sum()
    got = distinctive_loss(speech, image, torch.tensor(labels), reduction)
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_the_objective_is_the_weighted_sum_of_its_terms() -> None:
    torch.manual_seed(0)
    objective = SenObjective(6, 3, distinctive_weight=0.25)
    terms = objective(unit(5, 6, 0), unit(5, 6, 1), torch.tensor([0, 1, 2, 1, 0]))
    expected = terms["matching"] + 0.25 * terms["distinctive"]
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_classifier_begins_as_wide_as_inputs_and_classes_say() -> None:
    torch.manual_seed(0)
    classifier = SenObjective(300, 5).classifier
    assert classifier is not None
    bound = math.sqrt(6 / (300 + 5))  # Xavier's; that of a linear layer by itself is 0.4 times that
    assert float(classifier.weight.detach().abs().max()) == pytest.approx(bound, rel=0.01)


def test_without_the_distinctive_loss_there_is_no_classifier() -> None:
    objective = SenObjective(6, 3, distinctive=False)
    speech = unit(5, 6, 0).requires_grad_()
    terms = objective(speech, unit(5, 6, 1), torch.tensor([0, 1, 2, 1, 0]))
    terms["loss"].backward()
    assert set(terms) == {"loss", "matching"}
    assert not list(objective.parameters())
    assert speech.grad is not None
    assert speech.grad.abs().sum() > 0


def test_without_the_matching_loss_the_modalities_do_not_meet() -> None:
    objective = SenObjective(6, 3, matching=False)
    speech, labels = unit(5, 6, 0), torch.tensor([0, 1, 2, 1, 0])
    gradients = []
    for seed in (1, 2):
        leaf = speech.clone().requires_grad_()
        terms = objective(leaf, unit(5, 6, seed), labels)
        (gradient,) = torch.autograd.grad(terms["loss"], leaf)
        gradients.append(gradient)
    assert set(terms) == {"loss", "distinctive"}
    assert torch.equal(gradients[0], gradients[1])
