import io
import sys

import pytest

from s2igan.engine import progress
from s2igan.engine.progress import bar, duration


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_says_every_tenth_at_which_rate_and_what_is_left(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    for _ in bar(range(100), "speak", unit="utterances"):
        clock.now += 0.25
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "speak:  10 %, 10 of 100, 4 utterances/s, 22 s left"
    assert lines[-1] == "speak: 100 %, 100 of 100, 4 utterances/s, took 25 s"


def test_a_training_that_goes_on_says_all_its_steps_and_its_losses(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with bar(40, "train", done=30, unit="images", each=24) as steps:
        for step in range(30, 40):
            clock.now += 0.1
            steps.note(f"loss {step}")
            steps.update()
    assert capsys.readouterr().err.splitlines() == [
        "train:  80 %, 32 of 40, 240 images/s, 1 s left, loss 31",
        "train:  90 %, 36 of 40, 240 images/s, 0 s left, loss 35",
        "train: 100 %, 40 of 40, 240 images/s, took 1 s, loss 39",
    ]


def test_nobody_waits_longer_than_a_minute_for_a_line(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with bar(100_000, "train") as steps:
        for _ in range(7):
            clock.now += 25
            steps.update()
    assert capsys.readouterr().err.splitlines() == [
        "train:   0 %, 3 of 100,000, 0.04/s, 694 h 25 min left",
        "train:   0 %, 6 of 100,000, 0.04/s, 694 h 24 min left",
    ]


def test_items_without_a_length_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar(iter("abc"), "read", unit="files")) == ["a", "b", "c"]
    assert capsys.readouterr().err == "read: done (3 files in 0 s)\n"


def test_an_empty_run_says_nothing_wrong() -> None:
    assert list(bar([], "none")) == []


def test_what_is_not_shown_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar(range(20), "train", shown=False)) == list(range(20))
    assert list(bar(iter("abc"), "read", shown=False)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_units_and_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with bar(40, "train", done=30, unit="images", each=24) as steps:
        for _ in range(10):
            steps.note("loss 0.5")
            steps.update()
    shown = terminal.getvalue()
    assert "train: 100%" in shown
    assert "960/960" in shown
    assert "images/s, loss 0.5" in shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7505, "2 h 05 min")],
)
def test_durations_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
