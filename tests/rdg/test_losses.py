import numpy as np
import pytest
import torch

from s2igan.rdg import losses

RNG = np.random.default_rng(0)


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(RNG.standard_normal(7) * 3),
        torch.from_numpy(RNG.standard_normal(7) * 3),
    )


def log_sigmoid(x: torch.Tensor) -> np.ndarray:
    return np.asarray(-np.log1p(np.exp(-x.numpy())))


def log_one_minus(x: torch.Tensor) -> np.ndarray:
    return np.asarray(np.log(1 - 1 / (1 + np.exp(-x.numpy()))))


def test_generator_loss_is_equation_10() -> None:
    conditional, unconditional = logits()
    expected = -log_sigmoid(unconditional).mean() - log_sigmoid(conditional).mean()
    got = losses.generator_loss((conditional, unconditional), 1.0)
    assert float(got) == pytest.approx(expected)


def test_discriminator_loss_is_equation_12() -> None:
    real, fake = logits(), logits()
    expected = -sum(
        term.mean()
        for term in (
            log_sigmoid(real[1]),
            log_one_minus(fake[1]),
            log_sigmoid(real[0]),
            log_one_minus(fake[0]),
        )
    )
    assert float(losses.discriminator_loss(real, fake, None, 1.0)) == pytest.approx(expected)


def test_wrong_pairs_add_the_terms_of_the_released_code() -> None:
    real, fake, wrong = logits(), logits(), logits()
    plain = float(losses.discriminator_loss(real, fake, None, 0.5))
    conditional = -log_one_minus(wrong[0]).mean()
    unconditional = -log_sigmoid(wrong[1]).mean()
    with_speech = losses.discriminator_loss(real, fake, (wrong[0], None), 0.5)
    assert float(with_speech) == pytest.approx(plain + conditional)
    with_pictures = losses.discriminator_loss(real, fake, wrong, 0.5)
    assert float(with_pictures) == pytest.approx(plain + conditional + 0.5 * unconditional)


def test_unconditional_terms_carry_their_weight() -> None:
    real, fake = logits(), logits()
    conditional_only = -log_sigmoid(real[0]).mean() - log_one_minus(fake[0]).mean()
    assert float(losses.discriminator_loss(real, fake, None, 0.0)) == pytest.approx(
        conditional_only
    )
    assert float(losses.generator_loss(fake, 0.0)) == pytest.approx(-log_sigmoid(fake[0]).mean())


def test_relation_loss_is_equation_8() -> None:
    batches = [torch.from_numpy(RNG.standard_normal((5, 3))) for _ in range(4)]
    expected = 0.0
    for batch, relation in zip(batches, (0, 1, 2, 0), strict=True):
        exponents = np.exp(batch.numpy())
        expected -= np.log(exponents[:, relation] / exponents.sum(axis=1)).mean()
    assert float(losses.relation_loss(*batches)) == pytest.approx(expected)
    last = np.exp(batches[3].numpy())
    assert float(losses.relation_generator_loss(batches[3])) == pytest.approx(
        -np.log(last[:, 0] / last.sum(axis=1)).mean()
    )


def test_kl_matches_the_divergence_of_gaussians() -> None:
    mu, logvar = torch.tensor([[0.3, -1.2]]), torch.tensor([[0.5, -0.7]])
    posterior = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    prior = torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(posterior, prior).mean()
    assert float(losses.kl_loss(mu, logvar)) == pytest.approx(float(expected))
    assert float(losses.kl_loss(torch.zeros(2, 3), torch.zeros(2, 3))) == 0


def test_losses_survive_logits_that_saturate_a_sigmoid() -> None:
    huge = torch.tensor([200.0, -200.0])
    value = losses.discriminator_loss((huge, huge), (huge, huge), (huge, huge), 1.0)
    assert torch.isfinite(value)
