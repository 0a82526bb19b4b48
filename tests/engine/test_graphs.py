from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from s2igan.engine import graphs
from s2igan.engine.graphs import CapturedSteps, capturable, in_captured_step

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Sum:
    """A step that adds its input to a total; with ``spoilt`` it cannot be captured."""

    def __init__(self, device: torch.device, *, spoilt: bool = False) -> None:
        self.total = torch.zeros((), device=device)
        self.inside: list[bool] = []
        self._spoilt = spoilt

    def __call__(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        self.inside.append(in_captured_step())
        if self._spoilt and self.total.is_cuda:
            self.total.item()  # waits for the device
        self.total.add_(inputs[0])
        return {"total": self.total.clone()}


def totals(steps: CapturedSteps, run: Sum, forms: Sequence[str]) -> list[float]:
    """Take a step of each form in turn, with 0, 1, 2, … to add."""
    device = run.total.device
    inputs = [torch.tensor(float(number), device=device) for number in range(len(forms))]
    return [float(steps(f, run, [x])["total"]) for f, x in zip(forms, inputs, strict=True)]


@pytest.mark.parametrize(
    ("device", "processes", "acceleration", "captured"),
    [
        ("cuda", 1, "auto", True),
        ("cuda", 1, "off", False),
        ("cuda", 2, "auto", False),
        ("cpu", 1, "auto", False),
    ],
)
def test_steps_become_graphs_on_one_gpu_alone(
    monkeypatch: pytest.MonkeyPatch, device: str, processes: int, acceleration: str, captured: bool
) -> None:
    monkeypatch.setattr(graphs, "world", lambda: processes)
    monkeypatch.setenv("S2IGAN_ACCELERATION", acceleration)
    assert capturable(torch.device(device)) is captured


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would capture the step")
def test_a_step_that_cannot_be_captured_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(graphs, "WARM_UP", 0)
    device = torch.device("cpu")
    steps, run = CapturedSteps(device), Sum(device)
    assert totals(steps, run, "abab") == [0.0, 1.0, 3.0, 6.0]
    assert steps.refused
    assert steps.captured() == 0
    assert run.inside == [False] * 4
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("cuda graph: not used")


def test_the_first_error_is_the_reason() -> None:
    # What torch raises where it ends a capture comes on top of what broke it.
    first, last = RuntimeError("waits for the device"), RuntimeError("invalidated")
    last.__context__ = first
    assert graphs._first(last) is first


@pytest.mark.gpu
@on_gpu
def test_a_captured_step_is_taken_once_per_call() -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)  # need not be the current one
    steps, run = CapturedSteps(device), Sum(device)
    assert totals(steps, run, "a" * 8) == [0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0]
    assert steps.captured() == 1
    assert run.inside == [True] * 4  # three that warm up, one that is captured
    assert not in_captured_step()


@pytest.mark.gpu
@on_gpu
def test_forms_are_captured_apart_and_anew_when_told() -> None:
    device = torch.device("cuda")
    steps, run = CapturedSteps(device), Sum(device)
    expected = [float(number * (number + 1) // 2) for number in range(12)]
    assert totals(steps, run, "ab" * 6) == expected
    assert steps.captured() == 2
    steps.forget()
    assert steps.captured() == 0
    run.total.zero_()
    assert totals(steps, run, "ab" * 6) == expected
    assert steps.captured() == 2


@pytest.mark.gpu
@on_gpu
def test_a_capture_that_fails_says_why_and_nothing_is_lost(
    capfd: pytest.CaptureFixture[str],
) -> None:
    device = torch.device("cuda")
    before = torch.cuda.current_stream()
    steps, run = CapturedSteps(device), Sum(device, spoilt=True)
    assert totals(steps, run, "a" * 6) == [0.0, 1.0, 3.0, 6.0, 10.0, 15.0]
    assert steps.refused
    assert torch.cuda.current_stream() == before
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert "previous error" not in said[0]
