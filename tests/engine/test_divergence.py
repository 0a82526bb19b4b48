from pathlib import Path

import pytest

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.divergence import DivergedError, fit_past_faults, require_finite

NAN = float("nan")


class Training:
    """Counts to ten, keeps a checkpoint after three, and diverges where it is told to."""

    def __init__(self, store: CheckpointStore, faults: list[int]) -> None:
        self.store, self.faults, self.seen = store, faults, list[int]()

    def fit(self) -> None:
        saved = self.store.load()
        for step in range(saved["step"] if saved else 0, 10):
            self.seen.append(step)
            if step in self.faults:
                self.faults.remove(step)
                require_finite("loss", NAN, step, "mend it")
            if step == 3:
                self.store.save({"step": step})


def test_a_fault_that_does_not_come_back_costs_the_steps_since_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(CheckpointStore(tmp_path), [5, 8])
    fit_past_faults(training.fit, training.store)
    assert training.seen == [*range(6), *range(3, 9), *range(3, 10)]
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[0] for line in told] == ["loss at step 5", "loss at step 8"]


def test_a_training_that_diverges_by_itself_is_told(tmp_path: Path) -> None:
    training = Training(CheckpointStore(tmp_path), [5, 5])
    with pytest.raises(DivergedError, match="loss at step 5; got nan; expected a finite number; m"):
        fit_past_faults(training.fit, training.store)


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    training = Training(CheckpointStore(tmp_path), [1])
    with pytest.raises(DivergedError, match="loss at step 1"):
        fit_past_faults(training.fit, training.store)
    assert training.seen == [0, 1]


def test_a_finite_loss_passes() -> None:
    require_finite("loss", 1e30, 1, "")
