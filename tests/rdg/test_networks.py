from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from s2igan.rdg.discriminator import Discriminator
from s2igan.rdg.generator import Generator, NextStage
from s2igan.rdg.networks import build_discriminators, build_generator
from s2igan.rdg.relation import RelationSupervisor
from tests.rdg.makers import EMBEDDING_DIM, rdg_config, small_generator

Dense = Literal["none", "paper", "released"]


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("size", "millions"), [(64, 5.72), (128, 18.83), (256, 71.27)])
def test_discriminators_have_the_parameters_of_the_released_code(
    size: int, millions: float
) -> None:
    with torch.device("meta"):
        judge = Discriminator(size=size, base_size=64, df=64, condition_dim=128)
    assert round(parameters(judge) / 1e6, 2) == millions


def test_each_side_is_as_wide_as_the_parameters_say() -> None:
    config = rdg_config(gf=4, df=12)
    assert build_generator(config, EMBEDDING_DIM).architecture["gf"] == 4
    for judge in build_discriminators(config):
        first = judge.trunk.get_submodule("0.0")
        assert isinstance(first, nn.Conv2d)
        assert first.out_channels == 12


def test_relation_supervisor_has_the_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        assert round(parameters(RelationSupervisor(1024)) / 1e6, 2) == 0.26


def test_every_network_begins_with_orthogonal_weights() -> None:
    judge = Discriminator(size=16, base_size=8, df=4, condition_dim=5)
    for network in (small_generator(), judge, RelationSupervisor(EMBEDDING_DIM)):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                rows = layer.weight.flatten(1)
                rows = rows if len(rows) < rows.shape[1] else rows.T
                torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)


def inputs(generator: Generator, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    dims = (EMBEDDING_DIM, generator.noise_dim, generator.condition_dim)
    first, second, third = (torch.randn(count, dim, generator=drawn) for dim in dims)
    return first, second, third


@pytest.mark.parametrize("base_size", [8, 16])
@pytest.mark.parametrize("dense", ["none", "paper", "released"])
def test_generator_draws_three_scales(base_size: int, dense: Dense) -> None:
    generator = small_generator(base_size=base_size, dense=dense)
    images, condition = generator(*inputs(generator))
    assert [image.shape for image in images] == [
        (3, 3, scale * base_size, scale * base_size) for scale in (1, 2, 4)
    ]
    assert all(image.abs().max() <= 1 and image.dtype == torch.float32 for image in images)
    assert condition.mu.shape == (3, 5)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"base_size": size}, f"base_size is {size}, expected a power") for size in (-8, 0, 4, 12, 20)]
    + [({"dense": "some"}, "dense is 'some', expected one of none, paper, released")],
)
def test_a_generator_that_would_not_draw_what_it_says_is_refused(
    sizes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        small_generator(**sizes)


@pytest.mark.parametrize(("dense", "reaches"), [("none", 0), ("released", 0), ("paper", 1)])
def test_h0_reaches_the_third_stage_by_equation_7_alone(dense: Dense, reaches: int) -> None:
    generator = small_generator(dense=dense)
    generator.later[0].register_forward_hook(lambda _module, _inputs, h1: h1.detach())
    images = generator(*inputs(generator)).images
    (gradient,) = torch.autograd.grad(
        images[2].square().sum(), [generator.first.linear.weight], allow_unused=True
    )
    assert (gradient is not None and bool(gradient.any())) == bool(reaches)


def test_released_stacking_joins_the_input_past_the_residual_blocks() -> None:
    generator = small_generator(dense="released")
    stage = generator.later[0]
    h0 = torch.randn(2, 8, 8, 8, requires_grad=True)
    assert isinstance(stage, NextStage)
    stage.joint.register_forward_hook(lambda _module, _inputs, out: out.detach())
    stage([h0], torch.randn(2, 5)).square().sum().backward()
    assert h0.grad is not None
    assert h0.grad.any()


def test_pictures_are_float32_whatever_the_convolutions_are() -> None:
    generator = small_generator().eval()
    with torch.autocast("cpu", torch.bfloat16):
        drawn = generator(*inputs(generator))
    assert [image.dtype for image in drawn.images] == [torch.float32] * 3


def test_generator_follows_speech_and_noise() -> None:
    generator = small_generator().eval()
    speech, noise, condition_noise = inputs(generator)
    image = generator(speech, noise, condition_noise).images[2]
    assert not torch.allclose(generator(-speech, noise, condition_noise).images[2], image)
    assert not torch.allclose(generator(speech, -noise, condition_noise).images[2], image)


@pytest.mark.parametrize(("size", "base_size"), [(8, 8), (16, 8), (32, 8), (16, 16), (64, 16)])
def test_discriminator_judges_any_base_size(size: int, base_size: int) -> None:
    judge = Discriminator(size=size, base_size=base_size, df=4, condition_dim=5)
    images = torch.randn(3, 3, size, size)
    assert judge.features(images).shape == (3, 4 * base_size // 8, 4, 4)
    verdict = judge(images, torch.randn(3, 5))
    assert verdict.conditional.shape == verdict.unconditional.shape == (3,)


@pytest.mark.parametrize("widest", [4, 10, 12, 24])
@pytest.mark.parametrize("size", [8, 32])
def test_a_discriminator_of_any_limit_judges(size: int, widest: int) -> None:
    judge = Discriminator(size=size, base_size=8, df=8, condition_dim=5, widest=widest)
    assert judge(torch.randn(2, 3, size, size), torch.randn(2, 5)).conditional.shape == (2,)
    assert max(m.out_channels for m in judge.modules() if isinstance(m, nn.Conv2d)) <= widest


def test_only_the_conditional_logits_see_the_condition() -> None:
    judge = Discriminator(size=16, base_size=8, df=4, condition_dim=5).eval()
    images, condition = torch.randn(3, 3, 16, 16), torch.randn(3, 5)
    one, other = judge(images, condition), judge(images, -condition)
    torch.testing.assert_close(one.unconditional, other.unconditional)
    assert not torch.allclose(one.conditional, other.conditional)


def test_relations_are_those_of_the_ground_truth() -> None:
    supervisor = RelationSupervisor(4).eval()
    truth, same, wrong, fake = (torch.randn(3, 4) for _ in range(4))
    relations = supervisor(truth, same, wrong, fake)
    for logits, other in (
        (relations.positive, same),
        (relations.negative, wrong),
        (relations.undesired, truth),
        (relations.generated, fake),
    ):
        torch.testing.assert_close(logits, supervisor.layers(torch.cat([truth, other], dim=1)))


def test_relations_share_the_statistics_of_their_batch_norm() -> None:
    supervisor = RelationSupervisor(4)
    truth, same, wrong, fake = (torch.randn(8, 4) for _ in range(4))
    before = supervisor(truth, same, wrong, fake).positive
    after = supervisor(truth, same, wrong + 3, fake).positive
    assert not torch.allclose(before, after)
