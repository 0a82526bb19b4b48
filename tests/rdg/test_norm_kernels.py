"""The kernels behind batch norm against torch's layers in float64."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine import kernels
from s2igan.rdg.norm_kernels import GLU, LEAKY, NOTHING, normed
from s2igan.rdg.normed import norm_glu
from tests.kernels import kernel_device

DEVICE = kernel_device()
SLOPE = 0.2
# One tile; several stretches of rows and two blocks of channels, neither of them full.
SHAPES = [(3, 6, 5, 4), (40, 70, 8, 7)]


def norm(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels)
    nn.init.normal_(layer.weight, 1, 0.3)
    nn.init.normal_(layer.bias)
    return layer


def followed(x: Tensor, kind: int) -> Tensor:
    if kind == GLU:
        return F.glu(x, dim=1)
    return F.leaky_relu(x, SLOPE) if kind == LEAKY else x


@pytest.mark.parametrize("kind", [NOTHING, GLU, LEAKY])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_gradients_and_statistics_are_torchs(shape: tuple[int, ...], kind: int) -> None:
    torch.manual_seed(1)
    layer = norm(shape[1])
    plain = copy.deepcopy(layer).double()
    layer.to(DEVICE)
    values = 2 * torch.randn(shape) + 5
    x = values.to(DEVICE, memory_format=torch.channels_last).requires_grad_(True)
    theirs = values.double().requires_grad_(True)
    expected = followed(plain(theirs), kind)
    scale = torch.randn(expected.shape)
    got = normed(layer, x, kind, SLOPE)
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.autograd.backward((got * scale.to(DEVICE)).sum())
    torch.autograd.backward((expected * scale).sum())
    pairs = [
        (got, expected),
        (x.grad, theirs.grad),
        (layer.weight.grad, plain.weight.grad),
        (layer.bias.grad, plain.bias.grad),
        (layer.running_mean, plain.running_mean),
        (layer.running_var, plain.running_var),
    ]
    for mine, truth in pairs:
        assert mine is not None
        assert truth is not None
        torch.testing.assert_close(
            mine.detach().cpu().double(), truth.detach(), atol=2e-4, rtol=2e-4
        )
    assert layer.num_batches_tracked == 1


def test_a_large_mean_does_not_eat_the_variance() -> None:
    layer = nn.BatchNorm2d(4).to(DEVICE)
    unit = torch.randn(8, 4, 6, 6)
    x = (unit + 1e3).to(DEVICE, memory_format=torch.channels_last)
    expected = F.batch_norm((unit + 1e3).double(), None, None, training=True)
    got = normed(layer, x, NOTHING)
    torch.testing.assert_close(got.detach().cpu().double(), expected, atol=1e-3, rtol=0)


def test_statistics_of_a_calibration_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a momentum the running statistics are plain means, which the kernels know nothing of.
    monkeypatch.setattr(kernels, "usable", lambda _: True)
    layer = norm(6).to(DEVICE)
    x = torch.randn(4, 6, 3, 3).to(DEVICE, memory_format=torch.channels_last)
    followed_in_one_go = norm_glu(layer, x)
    assert followed_in_one_go.grad_fn is not None
    assert "_Normed" in followed_in_one_go.grad_fn.name()
    layer.momentum = None
    layer.reset_running_stats()
    assert torch.allclose(norm_glu(layer, x), followed_in_one_go, atol=1e-5)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)))
