import pytest
import torch
from torch import nn
from torch.nn import functional as F

from s2igan.rdg.conditioning import ConditioningAugmentation
from s2igan.rdg.layers import (
    ConditionedConv,
    ResidualBlock,
    UpBlock,
    initialise,
    upsampled_conv,
)
from s2igan.rdg.normed import glu


@pytest.mark.parametrize("shape", [(3, 8), (2, 6, 5, 4)])
def test_glu_agrees_with_torch(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(glu(x), F.glu(x, dim=1))


@pytest.mark.parametrize("size", [(4, 4), (8, 5), (2, 3)])
def test_conditioned_conv_equals_convolution_of_the_tiled_condition(size: tuple[int, int]) -> None:
    layer = ConditionedConv(5, 3, 7).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    condition = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    tiled = condition[:, :, None, None].expand(-1, -1, *size)
    expected = F.conv2d(torch.cat([tiled, x], dim=1), layer.weight, padding=1)
    got = layer(x, condition)
    torch.testing.assert_close(got, expected)
    inputs = [x, condition, layer.weight]
    weight = torch.randn_like(got)
    for mine, theirs in zip(
        torch.autograd.grad((got * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (16, 9)])
def test_folded_upsampling_equals_upsampling_before_the_convolution(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    expected = F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1)
    got = upsampled_conv(x, weight)
    torch.testing.assert_close(got, expected)
    scale = torch.randn_like(got)
    for mine, theirs in zip(
        torch.autograd.grad((got * scale).sum(), [x, weight]),
        torch.autograd.grad((expected * scale).sum(), [x, weight]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_blocks_keep_and_double_the_side() -> None:
    x = torch.randn(2, 6, 4, 4)
    assert UpBlock(6, 3)(x).shape == (2, 3, 8, 8)
    assert ResidualBlock(6)(x).shape == (2, 6, 4, 4)


def test_residual_block_adds_its_input() -> None:
    block = ResidualBlock(6)
    nn.init.zeros_(block.norm.weight)
    x = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_initialisation_is_orthogonal() -> None:
    conv, norm, linear = nn.Conv2d(3, 4, 2), nn.BatchNorm2d(400), nn.Linear(5, 9)
    initialise(nn.Sequential(conv, norm, linear))
    rows = conv.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(4), atol=1e-5, rtol=0)
    columns = linear.weight
    torch.testing.assert_close(columns.T @ columns, torch.eye(5), atol=1e-5, rtol=0)
    scales = norm.weight.detach()
    assert float(scales.mean()) == pytest.approx(1, abs=0.01)
    assert float(scales.std()) == pytest.approx(0.02, abs=0.005)
    assert not linear.bias.any()


def test_conditioning_samples_the_gaussian_it_reports() -> None:
    torch.manual_seed(0)
    layer = ConditioningAugmentation(6, 4)
    embedding = torch.randn(3, 6)
    noise = torch.randn(3, 4)
    mu, logvar, sample = layer(embedding, noise)
    assert mu.shape == logvar.shape == sample.shape == (3, 4)
    torch.testing.assert_close(sample, mu + noise * logvar.exp().sqrt())
    torch.testing.assert_close(layer(embedding, torch.zeros(3, 4)).sample, mu)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(layer(embedding, noise).sample, sample)


def test_standardised_speech_is_centred_and_scaled_before_anything_else() -> None:
    torch.manual_seed(0)
    plain = ConditioningAugmentation(6, 4)
    scaled = ConditioningAugmentation(6, 4)
    scaled.load_state_dict(plain.state_dict())
    mean, deviation = torch.randn(6), 0.25
    scaled.standardise(mean, deviation)
    embedding, noise = torch.randn(3, 6), torch.randn(3, 4)
    expected = plain((embedding - mean) / deviation, noise)
    torch.testing.assert_close(scaled(embedding, noise), expected)
