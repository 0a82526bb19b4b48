import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from s2igan.engine.interrupts import LAUNCHED, Interrupts

ENDS: list[tuple[signal.Signals, type[BaseException], int | None]] = [
    (signal.SIGTERM, SystemExit, 143),
    (signal.SIGHUP, SystemExit, 129),
    (signal.SIGINT, KeyboardInterrupt, None),
]


def told(number: int) -> None:
    os.kill(os.getpid(), number)


def train(steps: list[int], signals: dict[int, list[int]]) -> None:
    """Count nine steps into ``steps``, with ``signals`` by the step in which they come."""
    interrupts = Interrupts()
    with interrupts.handled(), interrupts.deferred():
        for step in range(9):
            for number in signals.get(step, ()):
                told(number)
            steps.append(step)
            if interrupts.stop_requested():
                interrupts.leave("kept")


@pytest.mark.parametrize(("number", "kind", "code"), ENDS)
def test_a_signal_ends_where_it_arrives(
    number: int, kind: type[BaseException], code: int | None
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(kind) as caught, Interrupts().handled():
        told(number)
    assert getattr(caught.value, "code", None) == code
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "kind", "code"), ENDS)
def test_inside_a_training_the_first_signal_waits_for_the_step(
    capsys: pytest.CaptureFixture[str], number: int, kind: type[BaseException], code: int | None
) -> None:
    steps: list[int] = []
    with pytest.raises(kind) as caught:
        train(steps, {2: [number]})
    assert steps == [0, 1, 2]
    assert getattr(caught.value, "code", None) == code
    assert capsys.readouterr().err == "kept\n"


def test_a_second_signal_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2igan.engine.interrupts._SAME_S", -1.0)
    steps: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        train(steps, {2: [signal.SIGTERM, signal.SIGINT]})
    assert steps == [0, 1]


def test_a_signal_that_is_passed_on_is_not_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2igan.engine.interrupts._SAME_S", float("inf"))
    steps: list[int] = []
    with pytest.raises(KeyboardInterrupt):  # Ctrl-C, and what the launcher makes of it
        train(steps, {2: [signal.SIGINT, signal.SIGTERM]})
    assert steps == [0, 1, 2]


def test_a_signal_after_the_last_step_is_not_forgotten() -> None:
    interrupts = Interrupts()
    with pytest.raises(SystemExit), interrupts.handled(), interrupts.deferred():
        told(signal.SIGTERM)


def test_what_whoever_started_us_ignores_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        interrupts = Interrupts()
        with interrupts.handled(), interrupts.deferred():
            told(signal.SIGHUP)
            assert not interrupts.stop_requested()
    finally:
        signal.signal(signal.SIGHUP, before)


STAGE = """
import time
from s2igan.engine.interrupts import Interrupts
interrupts = Interrupts()
print("begun", flush=True)
with interrupts.handled(), interrupts.deferred():
    while not interrupts.stop_requested():
        time.sleep(0.01)
"""

DVC = """
import os, signal, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("variable", ["DVC_STAGE", LAUNCHED, None])
def test_a_stage_ends_if_who_started_it_was_killed(
    monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    if variable:
        monkeypatch.setenv(variable, "1")
    done = subprocess.run(
        [sys.executable, "-c", DVC, STAGE], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    try:
        assert ends(child, within_s=300.0 if variable else 0.3) == bool(variable)
    finally:
        if not variable:
            os.kill(child, signal.SIGKILL)


def ends(process: int, within_s: float) -> bool:
    """Tell whether a process of somebody else's ends in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
