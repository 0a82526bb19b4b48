import sys
from pathlib import Path

import pytest

from s2igan.cli import main
from s2igan.engine.showcase import values_of
from s2igan.engine.tables import write_json
from s2igan.errors import UserError
from s2igan.evaluation.figures import absent, figure
from s2igan.evaluation.report import WIDTH, format_report

COMMON = "corpus planted, edition test"
ROW = {
    "mAP": figure(0.25, ["searched", COMMON]),
    "FID": figure(12.5, ["compared", COMMON]),
    "keywords": {"all": figure(0.75, ["read", COMMON]), "colours": absent("none")},
}
GENERATION = {
    "consistency": {
        "mAP": figure(0.5, ["12 queries", COMMON], chance=0.05, interval=(0.41, 0.63)),
        "other": figure(123.456, ["long " * 30 + "end", COMMON]),
    },
    "swap": absent("this corpus has no swapped sentences"),
    "controls": {"generated": ROW, "real": absent("no real pictures")},
}


def test_the_report_shows_every_number_and_says_common_sentences_once(tmp_path: Path) -> None:
    write_json(tmp_path / "generation.json", GENERATION)
    text = format_report(tmp_path)
    lines = text.splitlines()
    assert lines[1] == "Pictures drawn from descriptions"  # of either split, by any model
    row = next(line for line in lines if line.strip().startswith("mAP "))
    assert row.split() == ["mAP", "0.500", "0.410", "–", "0.630", "0.050", "·", "12", "queries"]
    assert any(line.split()[:2] == ["other", "123.5"] for line in lines)
    assert "swap: absent, this corpus has no swapped sentences" in lines
    controls = next(line for line in lines if line.strip().startswith("generated"))
    assert controls.split() == ["generated", "0.250", "12.50", "0.750", "–"]
    assert next(line for line in lines if line.startswith("  real")).split() == ["real", *"––––"]
    assert text.count(COMMON) == 1
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    ("terminal", "columns", "width"),
    [(True, 80, 80), (True, 40, 60), (True, 200, 100), (False, 80, 100)],
)
def test_sentences_are_folded_to_the_terminal_where_there_is_one(
    terminal: bool,
    columns: int,
    width: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_json(tmp_path / "generation.json", GENERATION)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert main(["report", str(tmp_path)]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "long long" in line]
    assert width - len("long ") < max(map(len, notes)) <= width


def test_both_files_are_shown_and_one_may_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"retrieval\.json or generation\.json"):
        format_report(tmp_path)
    retrieval = {"speech_to_image": {"R@1": figure(0.125, ["one"])}}
    write_json(tmp_path / "retrieval.json", retrieval)
    assert "R@1" in format_report(tmp_path)
    write_json(tmp_path / "generation.json", GENERATION)
    text = format_report(tmp_path)
    assert text.index("R@1") < text.index("consistency")


@pytest.mark.parametrize(
    "content",
    ['<<<<<<< HEAD\n{"a": 1}', '{"a": 1}', "[1]", '{"a": {"value": "x", "protocol": []}}', "\xff"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "generation.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError) as caught:
        format_report(tmp_path)
    assert str(caught.value).startswith(f"figures in {str(path)!r}; got no figures")


def test_a_number_without_a_protocol_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "generation.json", {**GENERATION, "agreement": {"cosine": 0.5}})
    with pytest.raises(UserError, match=r"cosine is 0\.5, which says nothing of its protocol"):
        format_report(tmp_path)


def test_values_stand_under_their_paths() -> None:
    assert dict(values_of(GENERATION)) == {
        "consistency/mAP": 0.5,
        "consistency/other": 123.456,
        "controls/generated/mAP": 0.25,
        "controls/generated/FID": 12.5,
        "controls/generated/keywords/all": 0.75,
    }
