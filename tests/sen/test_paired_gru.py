"""The paired recurrence against the modules whose parameters it reads."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from s2igan.engine.graphs import CapturedSteps
from s2igan.sen import recurrent
from s2igan.sen.layers import length_mask
from s2igan.sen.paired_gru import paired_gru
from s2igan.sen.recurrent import BidirectionalRnn

LENGTHS = torch.tensor([7, 3, 5])
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def layers(dtype: torch.dtype) -> BidirectionalRnn:
    torch.manual_seed(0)
    return BidirectionalRnn(5, 4, 2).to(dtype)


def batch(dtype: torch.dtype) -> Tensor:
    """(3, 7, 5), with rubbish past the end of every sequence."""
    x = torch.randn(3, 7, 5, dtype=dtype, generator=torch.Generator().manual_seed(1))
    return torch.where(length_mask(LENGTHS, 7)[..., None], x, 100.0).requires_grad_()


def loss_of(states: Tensor) -> Tensor:
    """A scalar that every real frame has its own part in, and no other."""
    parts = torch.randn(states.shape, generator=torch.Generator().manual_seed(2))
    parts = parts.masked_fill(~length_mask(LENGTHS, 7)[..., None], 0.0)
    return (states.to(parts.device) * parts.to(states.dtype)).sum()


def outcome(rnn: BidirectionalRnn, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The real frames' states, and the gradients of the frames and of every parameter."""
    states = rnn(x, LENGTHS.to(x.device))
    named: dict[str, Tensor] = {"x": x, **dict(rnn.named_parameters())}
    gradients = torch.autograd.grad(loss_of(states), list(named.values()))
    return states[length_mask(LENGTHS, 7).to(x.device)], dict(zip(named, gradients, strict=True))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[nn.GRU]:
    """The forward GRU of every layer that was run paired."""
    seen = []

    def noted(ahead: nn.GRU, back: nn.GRU, x: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(ahead)
        return paired_gru(ahead, back, x, mirrored)

    monkeypatch.setattr(recurrent, "paired_gru", noted)
    return seen


@pytest.fixture
def _tf32() -> Iterator[None]:
    """Whether products and cuDNN take TF32 is for the test to say."""
    switches: list[Any] = [torch.backends.cudnn, torch.backends.cuda.matmul]
    before = [switch.allow_tf32 for switch in switches]
    yield
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


def pair_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "in_captured_step", lambda: True)


def test_states_and_gradients_are_those_of_the_modules(
    monkeypatch: pytest.MonkeyPatch, calls: list[nn.GRU]
) -> None:
    rnn, x = layers(torch.float64), batch(torch.float64)
    states, gradients = outcome(rnn, x)
    assert not calls
    pair_anywhere(monkeypatch)
    paired_states, paired_gradients = outcome(rnn, x)
    assert calls == list(rnn.forwards)
    torch.testing.assert_close(paired_states, states, rtol=1e-10, atol=1e-10)
    assert len(gradients) == 1 + 2 * 2 * 4
    torch.testing.assert_close(paired_gradients, gradients, rtol=1e-10, atol=1e-10)


def test_one_frame_is_enough() -> None:
    rnn, x = layers(torch.float64), torch.randn(3, 1, 5, dtype=torch.float64)
    ahead, back = rnn.forwards[0], rnn.backwards[0]
    assert isinstance(ahead, nn.GRU)
    assert isinstance(back, nn.GRU)
    past, future = paired_gru(ahead, back, x, 2 * x)
    torch.testing.assert_close(past, ahead(x)[0])
    torch.testing.assert_close(future, back(2 * x)[0])
    weight = ahead.get_parameter("weight_hh_l0")
    (gradient,) = torch.autograd.grad((past + future).sum(), [weight])
    assert not gradient.any()


def test_half_precision_is_that_of_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    rnn, x = layers(torch.float32), batch(torch.float32)
    states, gradients = outcome(rnn, x)
    pair_anywhere(monkeypatch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half_states, half_gradients = outcome(rnn, x)
    assert half_states.dtype == torch.bfloat16
    torch.testing.assert_close(half_states.float(), states, rtol=0.0, atol=0.02)
    for name, gradient in gradients.items():
        assert half_gradients[name].dtype == torch.float32
        error = (half_gradients[name] - gradient).norm() / gradient.norm()
        assert 0 < error < 0.03, name


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes of every product within it whether on a GPU it could take TF32."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tf32: list[bool] = []

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "bmm" in str(func):
            self.tf32.append(torch.backends.cuda.matmul.allow_tf32)
        return func(*args, **(kwargs or {}))


@pytest.mark.usefixtures("_tf32")
@pytest.mark.parametrize("taken", [True, False])
def test_products_take_tf32_where_cudnn_would(monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    torch.backends.cudnn.allow_tf32 = taken
    torch.backends.cuda.matmul.allow_tf32 = not taken
    pair_anywhere(monkeypatch)
    with Products() as products:
        outcome(layers(torch.float32), batch(torch.float32))
    # Of both layers one product of all frames and one a step; backwards one a step and three.
    assert products.tf32 == [taken] * 2 * (1 + 7 + 7 + 3)
    assert torch.backends.cuda.matmul.allow_tf32 is not taken


def test_an_lstm_is_not_paired(monkeypatch: pytest.MonkeyPatch, calls: list[nn.GRU]) -> None:
    pair_anywhere(monkeypatch)
    BidirectionalRnn(5, 4, 1, nn.LSTM)(batch(torch.float32), LENGTHS)
    assert not calls


@pytest.mark.gpu
@needs_gpu
@pytest.mark.usefixtures("_tf32")
def test_a_gpu_agrees_with_a_cpu(monkeypatch: pytest.MonkeyPatch, calls: list[nn.GRU]) -> None:
    torch.backends.cudnn.allow_tf32 = False  # a CPU has none
    rnn, x = layers(torch.float32), batch(torch.float32)
    states, gradients = outcome(rnn, x)
    there = copy.deepcopy(rnn).cuda()
    pair_anywhere(monkeypatch)
    gpu_states, gpu_gradients = outcome(there, x.detach().cuda().requires_grad_())
    assert calls == list(there.forwards)
    torch.testing.assert_close(gpu_states.cpu(), states, rtol=1e-4, atol=1e-5)
    back_here = {name: gradient.cpu() for name, gradient in gpu_gradients.items()}
    torch.testing.assert_close(back_here, gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@needs_gpu
def test_a_step_can_be_captured(calls: list[nn.GRU]) -> None:
    device = torch.device("cuda")
    rnn, lengths = layers(torch.float32).to(device), LENGTHS.to(device)

    def run(inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = rnn(inputs[0], lengths).float().square().sum()
        gradients = torch.autograd.grad(loss, list(rnn.parameters()))
        return {"loss": loss.detach(), "norm": torch.stack([g.norm() for g in gradients])}

    steps = CapturedSteps(device)
    for size in range(1, 7):
        x = batch(torch.float32).detach().to(device) * 0.3 * size
        got = steps("one", run, [x])
        torch.testing.assert_close(dict(got), run([x]), rtol=0.02, atol=1e-3)
    assert steps.captured() == 1
    # Three that warm up and one that is captured; cuDNN computes what they are compared with.
    assert len(calls) == 2 * 4
