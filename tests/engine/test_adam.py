import copy

import pytest
import torch
from torch import nn

from s2igan.engine.adam import Adam
from tests.correctness.plain_adam import moved

CPU = torch.device("cpu")


def stepped(optimiser: Adam, weight: nn.Parameter, gradient: float) -> float:
    weight.grad = torch.full_like(weight, gradient)
    optimiser.step()
    return weight.item()


def adam(weight: nn.Parameter, lr: float = 0.1) -> Adam:
    return Adam([weight], lr=lr, betas=(0.5, 0.9), device=weight.device)


def test_two_updates_are_its_formula() -> None:
    weight, gradients = nn.Parameter(torch.tensor(1.0)), [0.3, -2.0]
    optimiser = adam(weight)
    found = [stepped(optimiser, weight, gradient) for gradient in gradients]
    start, given = torch.tensor(1.0, dtype=torch.float64), [torch.tensor(g) for g in gradients]
    expected = [float(moved(start, given[:n], [0.1, 0.1][:n], [0.5, 0.9])) for n in (1, 2)]
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_state_of_a_gpu_goes_on_here() -> None:
    weight = nn.Parameter(torch.tensor(1.0))
    ours = adam(weight)
    stepped(ours, weight, 0.3)
    state = copy.deepcopy(ours.state_dict())
    # As a captured training writes it.
    state["param_groups"][0] |= {"lr": torch.tensor(0.1), "capturable": True}
    again = nn.Parameter(weight.detach().clone())
    other = adam(again, lr=7.0)
    other.load_state_dict(state)
    (group,) = other.param_groups
    assert not group["capturable"]
    assert isinstance(group["lr"], float)
    assert stepped(other, again, -2.0) == pytest.approx(stepped(ours, weight, -2.0), rel=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_state_of_a_cpu_goes_on_on_a_gpu() -> None:
    weight = nn.Parameter(torch.tensor(1.0))
    ours = adam(weight)
    stepped(ours, weight, 0.3)
    there = nn.Parameter(weight.detach().cuda())
    other = adam(there)
    other.load_state_dict(copy.deepcopy(ours.state_dict()))
    assert other.param_groups[0]["capturable"]
    assert other.state[there]["step"].is_cuda
    assert stepped(other, there, -2.0) == pytest.approx(stepped(ours, weight, -2.0), rel=1e-5)
