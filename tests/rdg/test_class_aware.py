import numpy as np
import numpy.typing as npt
import pytest
import torch

from s2igan.rdg.class_aware import class_aware_loss
from tests.rdg.makers import random_batch, rdg_config
from tests.rdg.test_step import generator_weights, make

RNG = np.random.default_rng(4)


def reference(features: npt.NDArray[np.float64], labels: list[int]) -> float:
    """Pair by pair, as [12] has it."""
    count = len(labels)
    everything, within = [], []
    for i in range(count):
        for j in range(count):
            likeness = float(np.dot(features[i].ravel(), features[j].ravel()))
            everything.append(likeness)
            if i != j and labels[i] == labels[j]:
                within.append(likeness)
    if not within:
        return 0.0
    gap = max(0.0, float(np.mean(everything)) - float(np.mean(within)))
    return gap / float(features[0].size)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [3, 1, 3, 3, 1], [0, 0, 0, 0, 0]])
def test_the_loss_is_that_of_a_loop_over_pairs(labels: list[int]) -> None:
    positive = 0
    for _ in range(10):
        features = RNG.standard_normal((5, 3, 2, 2))
        got = float(class_aware_loss(torch.from_numpy(features), torch.tensor(labels)))
        assert got == pytest.approx(reference(features, labels))
        positive += got > 0
    assert positive > 0


def test_features_of_bfloat16_give_a_loss_of_float32() -> None:
    features = torch.from_numpy(RNG.standard_normal((5, 3, 2, 2))).bfloat16()
    labels = torch.tensor([0, 0, 1, 1, 2])
    loss = class_aware_loss(features, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, class_aware_loss(features.float(), labels))


def test_it_is_zero_without_pairs_and_where_classes_are_alike_enough() -> None:
    features = torch.from_numpy(RNG.standard_normal((4, 6))).requires_grad_()
    alone = class_aware_loss(features, torch.arange(4))
    assert float(alone.detach()) == 0
    (gradient,) = torch.autograd.grad(alone, features)
    assert not gradient.any()
    alike = torch.tensor([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, 3.0]])
    assert float(class_aware_loss(alike, torch.tensor([0, 0, 1, 1]))) == 0
    assert float(class_aware_loss(alike, torch.tensor([0, 1, 0, 1]))) == pytest.approx(4.5 / 2)


def test_its_gradient_is_the_one_of_differences() -> None:
    features = torch.from_numpy(RNG.standard_normal((4, 3, 2))).requires_grad_()
    labels = torch.tensor([0, 1, 0, 1])
    if float(class_aware_loss(features, labels).detach()) == 0:
        features = (features * torch.tensor([1.0, 1.0, -1.0, -1.0])[:, None, None]).detach()
        features.requires_grad_()
    assert float(class_aware_loss(features, labels).detach()) > 0
    assert torch.autograd.gradcheck(lambda x: class_aware_loss(x, labels), features)


def test_weight_zero_computes_nothing_and_another_adds_one_term_per_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = random_batch(rdg_config())
    batch.labels[:] = [0, 0, 1, 1]
    seen: list[int] = []

    def counted(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(features.shape[-1])
        return class_aware_loss(features, labels)

    monkeypatch.setattr("s2igan.rdg.step.class_aware_loss", counted)
    plain, aware = make(), make(class_aware_weight=2.0)
    without = plain(0, batch)
    assert not seen
    with_loss = aware(0, batch)
    assert seen == [4, 4, 4]
    assert set(with_loss) - set(without) == {"G_8_class", "G_16_class", "G_32_class"}
    assert any(float(with_loss[f"G_{size}_class"]) > 0 for size in (8, 16, 32))
    for name, value in without.items():
        torch.testing.assert_close(with_loss[name], value, rtol=0, atol=0)
    assert not torch.equal(generator_weights(plain), generator_weights(aware))


def test_its_terms_are_a_part_of_the_generators_loss_by_their_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = make(class_aware_weight=3.0)
    batch = random_batch(step.config)
    batch.labels[:] = [0, 0, 1, 1]
    totals: list[torch.Tensor] = []
    backward = torch.autograd.backward

    def keep(loss: torch.Tensor) -> None:
        totals.append(loss.detach())
        backward(loss)

    monkeypatch.setattr("torch.autograd.backward", keep)
    terms = step(0, batch)
    expected = step.config.kl_weight * terms["KL"]
    for size in (8, 16, 32):
        expected = expected + terms[f"G_{size}"] + 3 * terms[f"G_{size}_class"]
    torch.testing.assert_close(totals[-1], expected)  # the generator's comes last
    assert sum(float(terms[f"G_{size}_class"]) for size in (8, 16, 32)) > 0.1
