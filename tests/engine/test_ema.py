import pytest
import torch
from torch import nn

from s2igan.engine.ema import Ema


def test_parameters_are_averaged_and_buffers_copied() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = Ema(module, decay=0.9)
    expected = [value.detach().clone() for value in module.parameters()]
    for _ in range(3):
        module(torch.randn(4, 2))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(1)
        ema.update(module)
        expected = [
            0.9 * average + 0.1 * value.detach()
            for average, value in zip(expected, module.parameters(), strict=True)
        ]
    for parameter, value in zip(ema.module.parameters(), expected, strict=True):
        assert torch.allclose(parameter, value)
    assert torch.equal(ema.state_dict()["1.running_mean"], module.state_dict()["1.running_mean"])


def test_the_average_is_frozen_and_apart() -> None:
    module = nn.Linear(2, 2)
    ema = Ema(module, decay=0.5)
    assert not any(value.requires_grad for value in ema.module.parameters())
    assert not ema.module.training
    assert module.weight.requires_grad
    before = ema.state_dict()["weight"].clone()
    with torch.no_grad():
        module.weight += 1
    assert torch.equal(ema.state_dict()["weight"], before)


def test_state_can_be_restored() -> None:
    source, target = Ema(nn.Linear(2, 2), 0.5), Ema(nn.Linear(2, 2), 0.5)
    target.load_state_dict(source.state_dict())
    x = torch.randn(3, 2)
    assert torch.equal(source.module(x), target.module(x))


def test_another_module_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Ema(nn.Linear(2, 2), 0.5).update(nn.Linear(2, 2, bias=False))
