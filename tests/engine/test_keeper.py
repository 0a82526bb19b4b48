"""When a training writes checkpoints, and how it leaves."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2igan.engine import keeper as module
from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.curves import Curves
from s2igan.engine.divergence import DivergedError
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.keeper import Keeper
from s2igan.engine.session import Session
from s2igan.engine.tracking import Tracker


class Recording(CheckpointStore):
    """Remembers at which steps it was asked to save."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[int] = []

    def save(self, state: Any) -> None:
        self.steps.append(state["step"])
        super().save(state)


def train(
    store: CheckpointStore,
    at: Callable[[int], None],
    *,
    every: int = 100,
    seconds: float = float("inf"),
    weight: Callable[[int], float] = float,
) -> None:
    """Train ten steps, going on from the checkpoint; ``at`` is called during each of them."""
    saved = store.load()
    step = 0 if saved is None else int(saved["step"])
    with Interrupts().handled() as interrupts:
        session = Session(torch.device("cpu"), 1, Tracker(), store, False, seconds, interrupts)
        keeper = Keeper(
            session,
            Curves("the work", "mend it"),
            state=lambda: {"step": step, "w": torch.tensor(weight(step))},
            every=every,
            steps=10,
        )
        with keeper.watching():
            while step < 10:
                at(step)
                step += 1
                keeper.after(step)


def nothing(_step: int) -> None:
    return


def test_checkpoints_come_by_steps_and_at_the_end(tmp_path: Path) -> None:
    store = Recording(tmp_path)
    train(store, nothing, every=4)
    assert store.steps == [4, 8, 10]


def test_checkpoints_come_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock, store = Clock(), Recording(tmp_path)
    monkeypatch.setattr(module, "time", clock)

    def slow(step: int) -> None:
        clock.now += 100 if step == 5 else 1

    train(store, slow, every=7, seconds=60)
    assert store.steps == [6, 7, 10]


def signalled(at_step: int, number: int) -> Callable[[int], None]:
    return lambda step: os.kill(os.getpid(), number) if step == at_step else None


def test_a_training_told_to_end_keeps_the_step_and_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Recording(tmp_path)
    with pytest.raises(SystemExit) as caught:
        train(store, signalled(6, signal.SIGTERM), every=4)
    assert caught.value.code == 143
    assert store.steps == [4, 7]
    assert capsys.readouterr().err == "stopped after step 7; the next run goes on from here\n"
    seen: list[int] = []
    train(store, seen.append)
    assert seen == [7, 8, 9]


def diverging(step: int) -> float:
    return float("nan") if step >= 6 else 1.0


def test_what_is_not_finite_is_never_written(tmp_path: Path) -> None:
    store = Recording(tmp_path)
    with pytest.raises(DivergedError, match="state w at step 6"):
        train(store, nothing, every=3, weight=diverging)
    assert store.steps == [3]


def test_a_training_told_to_end_keeps_nothing_that_is_not_finite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Recording(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(store, signalled(6, signal.SIGINT), every=4, weight=diverging)
    assert store.steps == [4]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("state w at step 7; got nan")
    assert told[1] == "stopped after step 7; the next run goes on from an earlier checkpoint"
