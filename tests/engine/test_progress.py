import pytest

from s2igan.engine.progress import bar


def test_a_bar_yields_its_items_and_says_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar(range(100), "speak")) == list(range(100))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("speak:  10 % (10 in ")


def test_steps_can_be_counted_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    with bar(8, "train") as steps:
        steps.update(3)
        steps.update(5)
        steps.note("loss 1.0")
    assert [line[:12] for line in capsys.readouterr().err.splitlines()] == [
        "train:  30 %",
        "train: 100 %",
    ]


def test_items_without_a_length_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(bar(iter("abc"), "read")) == ["a", "b", "c"]
    assert capsys.readouterr().err.startswith("read: done (3 in ")


def test_an_empty_run_says_nothing_wrong() -> None:
    assert list(bar([], "none")) == []
