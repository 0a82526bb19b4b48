"""The kernels between the convolutions of Inception-v3 against torch's operations."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine import kernels
from s2igan.vision.inception_kernels import maximum, rectified, rectified_average
from s2igan.vision.inception_layers import PooledUnit, Unit
from tests.kernels import kernel_device

DEVICE = kernel_device()
SHAPES = [(2, 5, 7, 9), (3, 70, 8, 8), (1, 3, 3, 4)]


def maps(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    mine = values.to(DEVICE, memory_format=torch.channels_last).requires_grad_(True)
    return mine, values.requires_grad_(True)


def agree(got: Tensor, expected: Tensor, mine: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(got.detach().cpu(), expected.detach())
    scale = torch.randn(expected.shape)
    torch.autograd.backward((got * scale.to(DEVICE)).sum())
    torch.autograd.backward((expected * scale).sum())
    assert mine.grad is not None
    assert theirs.grad is not None
    assert theirs.grad.any()
    torch.testing.assert_close(mine.grad.cpu(), theirs.grad)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_padding", [True, False])
def test_the_average_counts_the_padding_or_leaves_it_out(
    shape: tuple[int, ...], with_padding: bool
) -> None:
    mine, theirs = maps(shape)
    bias = torch.linspace(-0.5, 0.5, shape[1])
    mean = F.avg_pool2d(theirs, 3, 1, 1, count_include_pad=with_padding)
    expected = F.relu(mean + bias[:, None, None])
    agree(rectified_average(mine, bias.to(DEVICE), with_padding), expected, mine, theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_maximum_is_that_of_every_second_pixel(shape: tuple[int, ...]) -> None:
    mine, theirs = maps(shape)
    agree(maximum(mine), F.max_pool2d(theirs, 3, stride=2), mine, theirs)


def test_the_rectifier_adds_the_bias() -> None:
    mine, theirs = maps(SHAPES[1])
    bias = torch.linspace(-1, 1, SHAPES[1][1])
    expected = F.relu(theirs * 2 + bias[:, None, None])
    agree(rectified(mine * 2, bias.to(DEVICE)), expected, mine, theirs)


def test_what_is_no_number_stays_none() -> None:
    mine, theirs = maps(SHAPES[0])
    with torch.no_grad():
        mine[0, 0, 2, 2] = theirs[0, 0, 2, 2] = torch.nan
        nothing = torch.zeros(SHAPES[0][1])
        pairs = [
            (maximum(mine), F.max_pool2d(theirs, 3, stride=2)),
            (
                rectified_average(mine, nothing.to(DEVICE), True),
                F.relu(F.avg_pool2d(theirs, 3, 1, 1)),
            ),
            (rectified(mine.clone(), nothing.to(DEVICE)), F.relu(theirs)),
        ]
    for got, expected in pairs:
        assert expected.isnan().any()
        torch.testing.assert_close(got.cpu(), expected, equal_nan=True)


@pytest.mark.parametrize(
    "layer", [Unit(5, 7, 3), PooledUnit(5, 7, nn.AvgPool2d(3, stride=1, padding=1))]
)
def test_a_bias_that_learns_keeps_its_gradient(
    monkeypatch: pytest.MonkeyPatch, layer: Unit | PooledUnit
) -> None:
    # A fine-tuned network learns its biases, to which the kernels give no gradient.
    monkeypatch.setattr(kernels, "usable", lambda _: True)
    layer.to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mine, _ = maps(SHAPES[0])
    learning = layer(mine)
    torch.autograd.backward(learning.sum())
    assert layer.bias is not None
    assert layer.bias.grad is not None
    assert layer.bias.grad.any()
    layer.requires_grad_(False)
    frozen = layer(mine)
    assert frozen.grad_fn is not None
    assert "Backward" in frozen.grad_fn.name()
    assert frozen.grad_fn.name().startswith(("_Rectified", "_Average"))
    torch.testing.assert_close(frozen, learning)
