"""Training steps of SEN on a GPU: captured ones against single operations, and a resumed run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from s2igan.engine.session import plain_session
from s2igan.sen.data import SenData
from s2igan.sen.train import SenTraining
from tests.sen.synthetic import sen_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

STEPS = 10  # of each length of a batch three run as they are, the fourth is captured


def begun(inputs: Path, **changes: Any) -> SenTraining:
    data = SenData(inputs / "corpus", inputs / "features")
    training = SenTraining(sen_config(steps=STEPS, **changes), data, plain_session("cuda"))
    training.model.train()
    return training


def go_on(training: SenTraining, steps: int) -> list[dict[str, float]]:
    """Take steps; return the sum of each loss after each."""
    told = []
    for _ in range(steps):
        training._update(training.placed(training.stream[training.step]))
        training.step += 1
        told.append({name: float(value) for name, value in training.curves._sums.items()})
    return told


def assert_alike(one: list[dict[str, float]], other: list[dict[str, float]]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert mine == pytest.approx(theirs, rel=0.02)


def test_both_tell_the_same_losses(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = begun(inputs)
    told = go_on(captured, STEPS)
    assert captured._graphs.captured() > 0
    assert not captured._graphs.refused
    monkeypatch.setenv("S2IGAN_ACCELERATION", "off")
    plain = begun(inputs)
    assert_alike(told, go_on(plain, STEPS))
    assert plain._graphs.captured() == 0


def test_a_resumed_run_follows_its_schedule(inputs: Path, tmp_path: Path) -> None:
    changes = {"schedule": "cosine", "warmup_steps": 4, "lr": 2e-2}
    whole = begun(inputs, **changes)
    before = go_on(whole, 2)
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    after = go_on(whole, STEPS - 2)
    resumed = begun(inputs, **changes)
    resumed.load_state_dict(
        torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True)
    )
    assert_alike(before + go_on(resumed, STEPS - 2), before + after)
    assert resumed._graphs.captured() > 0
    (rate,) = (group["lr"] for group in resumed.optimizer.param_groups)
    assert isinstance(rate, Tensor)
    assert rate.is_cuda
    assert float(rate) == pytest.approx(float(whole.optimizer.param_groups[0]["lr"]))
