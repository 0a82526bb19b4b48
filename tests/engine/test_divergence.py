import math
import weakref
from pathlib import Path

import pytest
import torch

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.divergence import (
    DivergedError,
    fit_past_faults,
    require_finite,
    require_finite_state,
)

NAN = math.nan


class Counting:
    """Counts to ten, keeps a checkpoint at three, and diverges once at every fault."""

    def __init__(self, store: CheckpointStore, faults: list[int], seen: list[int]) -> None:
        self.store, self.faults, self.seen = store, faults, seen

    def fit(self) -> None:
        saved = self.store.load()
        for step in range(saved["step"] if saved else 0, 10):
            self.seen.append(step)
            if step in self.faults:
                self.faults.remove(step)
                require_finite("loss", NAN, step, "mend it")
            if step == 3:
                self.store.save({"step": step})


@pytest.mark.parametrize(
    ("faults", "seen"),
    [
        ([], [*range(10)]),
        ([1], [*range(2), *range(10)]),
        ([5, 8], [*range(6), *range(3, 9), *range(3, 10)]),
    ],
)
def test_a_fault_that_does_not_come_back_costs_the_steps_since_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], faults: list[int], seen: list[int]
) -> None:
    store, steps = CheckpointStore(tmp_path), list[int]()
    expected = [f"loss at step {step}" for step in faults]
    fit_past_faults(lambda: Counting(store, faults, steps), "retry")
    assert steps == seen
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[0] for line in told] == expected


def test_a_second_attempt_has_the_memory_of_the_first(tmp_path: Path) -> None:
    store, faults, earlier = CheckpointStore(tmp_path), [5], list[weakref.ref[Counting]]()

    def begin() -> Counting:
        assert not any(training() for training in earlier)
        training = Counting(store, faults, [])
        earlier.append(weakref.ref(training))
        return training

    fit_past_faults(begin, "retry")
    assert len(earlier) == 2


@pytest.mark.parametrize("faults", [[1, 1], [5, 5]])
def test_a_training_that_diverges_by_itself_is_told(tmp_path: Path, faults: list[int]) -> None:
    store, last = CheckpointStore(tmp_path), faults[-1]
    with pytest.raises(DivergedError, match=f"loss at step {last}; got nan; expected a finite"):
        fit_past_faults(lambda: Counting(store, faults, []), "retry")


def test_a_training_stops_at_once_where_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = list[int]()
    with pytest.raises(DivergedError, match="loss at step 5; got nan"):
        fit_past_faults(lambda: Counting(CheckpointStore(tmp_path), [5], steps), "stop")
    assert steps == list(range(6))
    assert capsys.readouterr().err == ""


def test_a_state_that_is_not_finite_is_named() -> None:
    good = torch.ones(2)
    state = {"step": 3, "best": -math.inf, "rows": [{"loss": math.nan}], "seen": torch.tensor(1)}
    require_finite_state({**state, "nets": [{"w": good}]}, 3, "mend it")
    with pytest.raises(DivergedError, match=r"state nets\.1\.w at step 3; got nan.*mend it"):
        require_finite_state({**state, "nets": [{"w": good}, {"w": good / 0}]}, 3, "mend it")


def test_only_what_is_no_finite_number_is_told() -> None:
    told = []
    for value in (1e30, NAN, 0.0, math.inf, -math.inf):
        try:
            require_finite("loss", value, 1, "mend it")
        except DivergedError:
            told.append(str(value))
    assert told == ["nan", "inf", "-inf"]
