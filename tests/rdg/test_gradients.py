"""Analytic gradients against differences in float64, and independence of the order of a batch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from s2igan.rdg import losses
from s2igan.rdg.conditioning import ConditioningAugmentation
from s2igan.rdg.discriminator import Discriminator
from s2igan.rdg.generator import Generator
from s2igan.rdg.layers import ConditionedConv, ResidualBlock, UpBlock
from s2igan.rdg.normed import glu
from s2igan.rdg.relation import RelationSupervisor

ORDER = [2, 0, 3, 1]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, dtype=torch.float64, generator=generator)
    return values.requires_grad_()


LOSSES: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], int]] = {
    "real": (losses.real_loss, (5,), 1),
    "fake": (losses.fake_loss, (5,), 1),
    "generator": (lambda a, b: losses.generator_loss((a, b), 0.7), (5,), 2),
    "discriminator": (
        lambda a, b, c, d: losses.discriminator_loss((a, b), (c, d), None, 0.7),
        (5,),
        4,
    ),
    "discriminator, wrong pictures": (
        lambda a, b, c, d, e, f: losses.discriminator_loss((a, b), (c, d), (e, f), 0.7),
        (5,),
        6,
    ),
    "discriminator, wrong speech": (
        lambda a, b, c, d, e: losses.discriminator_loss((a, b), (c, d), (e, None), 0.7),
        (5,),
        5,
    ),
    "relation": (losses.relation_loss, (4, 3), 4),
    "relation, generator": (losses.relation_generator_loss, (4, 3), 1),
    "kl": (losses.kl_loss, (3, 4), 2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    loss, shape, count = LOSSES[name]
    assert torch.autograd.gradcheck(loss, tuple(drawn(*shape, seed=seed) for seed in range(count)))


def check(network: nn.Module, *inputs: Tensor, outputs: Callable[..., tuple[Tensor, ...]]) -> None:
    """Check the gradient of inputs and of every weight, by random directions."""
    names = [name for name, _ in network.named_parameters()]
    weights = [value.detach().clone().requires_grad_() for value in network.parameters()]

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, values[len(inputs) :], strict=True))
        return outputs(functional_call(network, given, values[: len(inputs)]))

    assert torch.autograd.gradcheck(run, (*inputs, *weights), fast_mode=True)


def test_conditioning() -> None:
    layer = ConditioningAugmentation(6, 4).double()
    layer.standardise(torch.arange(6).double() / 6, 0.5)
    assert torch.autograd.gradcheck(layer, (drawn(3, 6), drawn(3, 4, seed=1)))
    check(layer, drawn(3, 6), drawn(3, 4, seed=1), outputs=tuple)


def test_layers() -> None:
    assert torch.autograd.gradcheck(glu, drawn(2, 4, 3))
    check(ConditionedConv(3, 2, 4).double(), drawn(2, 2, 4, 3), drawn(2, 3), outputs=_alone)
    check(UpBlock(2, 3).double(), drawn(3, 2, 2, 2), outputs=_alone)
    check(ResidualBlock(3).double(), drawn(3, 3, 3, 3), outputs=_alone)


def _alone(output: Tensor) -> tuple[Tensor, ...]:
    return (output,)


def tiny_generator(dense: str) -> Generator:
    torch.manual_seed(0)
    return Generator(
        embedding_dim=3,
        base_size=8,
        gf=4,
        noise_dim=2,
        condition_dim=2,
        residual_blocks=1,
        dense=dense,  # type: ignore[arg-type]
    ).double()


def speech_and_noise(count: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    return drawn(count, 3), drawn(count, 2, seed=1), drawn(count, 2, seed=2)


@pytest.mark.parametrize("dense", ["none", "paper", "released"])
def test_generator(dense: str) -> None:
    check(
        tiny_generator(dense),
        *speech_and_noise(3),
        outputs=lambda made: (*made.images, made.condition.mu, made.condition.logvar),
    )


def tiny_discriminator(size: int) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(size=size, base_size=8, df=2, condition_dim=2).double()


@pytest.mark.parametrize("size", [8, 32])
def test_discriminator(size: int) -> None:
    check(tiny_discriminator(size), drawn(3, 3, size, size), drawn(3, 2, seed=1), outputs=tuple)


def test_relation_supervisor() -> None:
    torch.manual_seed(0)
    supervisor = RelationSupervisor(3).double()
    check(supervisor, *(drawn(4, 3, seed=seed) for seed in range(4)), outputs=tuple)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dense", ["none", "paper", "released"])
def test_a_permuted_batch_gives_permuted_pictures(dense: str, training: bool) -> None:
    generator = tiny_generator(dense).train(training)
    inputs = speech_and_noise()
    straight = generator(*inputs).images
    permuted = generator(*(values[ORDER] for values in inputs)).images
    for one, other in zip(straight, permuted, strict=True):
        torch.testing.assert_close(one[ORDER], other)
        assert not torch.allclose(one, other)


@pytest.mark.parametrize("training", [False, True])
def test_a_permuted_batch_gives_permuted_verdicts(training: bool) -> None:
    judge = tiny_discriminator(16).train(training)
    images, condition = drawn(4, 3, 16, 16), drawn(4, 2, seed=1)
    straight, permuted = judge(images, condition), judge(images[ORDER], condition[ORDER])
    for one, other in zip(straight, permuted, strict=True):
        torch.testing.assert_close(one[ORDER], other)
        assert not torch.allclose(one, other)


@pytest.mark.parametrize("training", [False, True])
def test_a_permuted_batch_gives_permuted_relations(training: bool) -> None:
    torch.manual_seed(0)
    supervisor = RelationSupervisor(3).double().train(training)
    views = [drawn(4, 3, seed=seed) for seed in range(4)]
    straight, permuted = supervisor(*views), supervisor(*(view[ORDER] for view in views))
    for one, other in zip(straight, permuted, strict=True):
        torch.testing.assert_close(one[ORDER], other)
        assert not torch.allclose(one, other)


def test_in_evaluation_mode_neighbours_have_no_say() -> None:
    generator, judge = tiny_generator("paper").eval(), tiny_discriminator(32).eval()
    inputs = speech_and_noise()
    together = generator(*inputs)
    alone = generator(*(values[:1] for values in inputs))
    torch.testing.assert_close(together.images[2][:1], alone.images[2])
    condition = together.condition.mu
    torch.testing.assert_close(
        judge(together.images[2], condition).conditional[:1],
        judge(alone.images[2], condition[:1]).conditional,
    )
