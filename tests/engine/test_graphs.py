import pytest
import torch

from s2igan.engine import graphs
from s2igan.engine.graphs import CapturedStep


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would capture the step")
def test_a_step_that_cannot_be_captured_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(graphs, "WARM_UP", 0)
    seen: list[float] = []

    def run(inputs: object) -> dict[str, torch.Tensor]:
        assert isinstance(inputs, list)
        seen.append(float(inputs[0]))
        return {"twice": 2 * inputs[0]}

    step = CapturedStep(run, torch.device("cpu"))
    results = [float(step([torch.tensor(value)])["twice"]) for value in (1.0, 2.0, 3.0)]
    assert results == [2.0, 4.0, 6.0]
    assert seen == [1.0, 2.0, 3.0]
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("cuda graph: not used")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU to capture a step on")
def test_a_captured_step_is_taken_once_per_call() -> None:
    device = torch.device("cuda")
    total = torch.zeros((), device=device)

    def run(inputs: object) -> dict[str, torch.Tensor]:
        assert isinstance(inputs, list)
        total.add_(inputs[0])
        return {"total": total.clone()}

    step = CapturedStep(run, device)
    results = [float(step([torch.tensor(float(n), device=device)])["total"]) for n in range(8)]
    assert results == [0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0]
