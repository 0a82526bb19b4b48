"""Figures that the documentation quotes of the default run are those of ``metrics/``."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from s2igan.evaluation.report import format_report
from tests.committed import needs_committed

ROOT = Path(__file__).parents[2]
pytestmark = needs_committed("metrics")
FIGURES: dict[str, Any] = {
    name: json.loads((ROOT / "metrics" / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("retrieval", "generation")
}

RETRIEVAL, GENERATION = "retrieval/speech_to_image", "generation"
COLOURS = f"{GENERATION}/keywords/generated/colours"
FOLLOWS = f"{GENERATION}/swap/follows/all"
ALL_PAIRS = f"{GENERATION}/consistency/all_pairs/mAP"
R_PRECISION = f"{GENERATION}/r_precision/R-precision"
FID = f"{GENERATION}/fidelity/generated/FID"

SHIPPED: dict[str, Any] = json.loads(
    (ROOT / "s2igan" / "serving" / "default" / "card.json").read_text(encoding="utf-8")
)["figures"]

README_ROWS = {
    "SEN: speech finds its species among real pictures, mAP": f"{RETRIEVAL}/mAP",
    "keyword accuracy, colours": COLOURS,
    "keyword swap follows": FOLLOWS,
    "GAN mAP, all test pairs": ALL_PAIRS,
}
VOICES_ROWS = {
    "SEN: speech finds its species, mAP": f"{RETRIEVAL}/mAP",
    "SEN: R@1": f"{RETRIEVAL}/R@1",
    "keyword accuracy, colours": COLOURS,
    "keyword accuracy, all": f"{GENERATION}/keywords/generated/all",
    "keyword swap follows": FOLLOWS,
    "GAN mAP, all test pairs": ALL_PAIRS,
    "R-precision": R_PRECISION,
}


LONGER_ROWS = {
    "SEN: speech finds its species, mAP": f"{RETRIEVAL}/mAP",
    "keyword accuracy, colours": COLOURS,
    "keyword swap follows": FOLLOWS,
    "GAN mAP, all test pairs": ALL_PAIRS,
    "R-precision": R_PRECISION,
}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def figure(path: str, figures: dict[str, Any] = FIGURES) -> dict[str, Any]:
    found: Any = figures
    for key in path.split("/"):
        found = found[key]
    assert isinstance(found, dict)
    return found


def value(path: str, digits: int = 3, figures: dict[str, Any] = FIGURES) -> str:
    return f"{figure(path, figures)['value']:.{digits}f}"


def interval(path: str, figures: dict[str, Any] = FIGURES) -> str:
    one = figure(path, figures)
    return f"{one['low']:.3f} – {one['high']:.3f}"


def row(page: str, name: str) -> Sequence[str]:
    """The cells behind the first one of the only row that begins so."""
    (line,) = re.findall(rf"^\| {re.escape(name)} \|.*$", text(page), flags=re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_the_whole_table_of_the_default_run_is_what_the_command_prints() -> None:
    page = text("docs/results/minibirds.md")
    (block,) = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    assert block == format_report(ROOT / "metrics")


@pytest.mark.parametrize("name", README_ROWS)
def test_a_row_of_the_readmes_table(name: str) -> None:
    path = README_ROWS[name]
    chance = f"{figure(path)['chance']:.3f}"
    assert row("README.md", name) == [value(path), interval(path), chance]


def test_the_fid_of_the_readmes_table() -> None:
    fidelity = f"{GENERATION}/fidelity"
    floor, shift = value(f"{fidelity}/floor/FID", 2), value(f"{fidelity}/species_shift/FID", 1)
    name = f"FID (`reader`, 96-d; floor {floor}, species shift {shift})"
    assert row("README.md", name)[0] == value(FID, 1)


@pytest.mark.parametrize("name", VOICES_ROWS)
def test_the_default_among_the_voices(name: str) -> None:
    path = VOICES_ROWS[name]
    assert row("docs/results/voices.md", name)[0] == f"{value(path)} ({interval(path)})"


@pytest.mark.parametrize("name", LONGER_ROWS)
def test_the_default_beside_the_model_that_ships(name: str) -> None:
    path = LONGER_ROWS[name]
    default, *_, shipped, _ = row("docs/results/minibirds.md", name)
    assert default == f"{value(path)} ({interval(path)})"
    assert shipped == f"{value(path, figures=SHIPPED)} ({interval(path, SHIPPED)})"


def test_chance_of_r_precision_is_that_of_permutations_in_the_model_that_ships() -> None:
    real = f"{GENERATION}/r_precision/real"  # the same pictures and descriptions in both runs
    assert figure(real, SHIPPED)["chance"] == figure(real)["chance"]
    *_, chance = row("docs/results/minibirds.md", "R-precision")
    assert {f"{figure(R_PRECISION, run)['chance']:.2f}" for run in (FIGURES, SHIPPED)} == {chance}


def test_the_default_among_other_trainings_of_sen() -> None:
    size = value(f"{GENERATION}/keywords/generated/size")
    sen, consistency = value(f"{RETRIEVAL}/mAP"), value(ALL_PAIRS)
    cells = row("docs/results/minibirds.md", "128 × 1,000, 0.002: the default")
    figures = [sen, value(COLOURS), size, value(FOLLOWS), consistency, value(R_PRECISION)]
    assert cells[1:] == [*figures, value(FID, 2)]


def test_the_default_among_other_machines() -> None:
    figures = [value(path) for path in (f"{RETRIEVAL}/mAP", COLOURS, FOLLOWS, ALL_PAIRS)]
    assert row("docs/results/minibirds.md", "the table below")[2:] == [*figures, value(FID, 2)]


def test_what_is_made_of_the_default() -> None:
    page = re.sub(r"\s+", " ", text("docs/results/minibirds.md"))
    colours, follows = figure(COLOURS), figure(FOLLOWS)
    looked_up = f"{GENERATION}/controls/retrieved_training_pictures"
    for told in (
        f"never seen with an mAP of {value(f'{RETRIEVAL}/mAP')};",
        f"is there in {100 * colours['value']:.0f} of 100 cases ({100 * colours['chance']:.0f} by",
        f"changes in {100 * follows['value']:.0f} of 100 ({100 * follows['chance']:.0f} by chance)",
        f"shows {100 * figure(f'{looked_up}/keywords/colours')['value']:.0f} of 100 spoken colours",
        f"with an mAP of {value(f'{looked_up}/mAP')}, though, and among generated ones with "
        f"{value(ALL_PAIRS)}.",
    ):
        assert told in page


def test_the_default_beside_other_weights_of_its_losses() -> None:
    page = re.sub(r"\s+", " ", text("docs/results/minibirds.md"))
    colours, follows, consistency = (value(path) for path in (COLOURS, FOLLOWS, ALL_PAIRS))
    told = (
        f"colours 0.795 instead of {colours}, swap 0.802 ({follows}), GAN mAP 0.761 "
        f"({consistency}), R-precision 0.771 ({value(R_PRECISION)}), FID 19.9 ({value(FID, 1)})."
    )
    assert told in page


def test_the_readme_quotes_the_model_that_ships() -> None:
    colours, swap = (value(path, figures=SHIPPED) for path in (COLOURS, FOLLOWS))
    assert f"(colours {colours}, swap {swap})" in re.sub(r"\s+", " ", text("README.md"))


def test_sentences_about_the_default() -> None:
    page = re.sub(r"\s+", " ", text("README.md"))
    others, indonesian = (
        row("docs/results/voices.md", "keyword accuracy, colours")[at].split("**")[1]
        for at in (1, 3)
    )
    assert f"is {others} instead of {value(COLOURS)}, and {indonesian} where it is trained" in page
    assert row("docs/results/voices.md", "FID (`reader`)")[0] == value(FID, 1)
    voices = re.sub(r"\s+", " ", text("docs/results/voices.md"))
    belly, size = (value(f"{GENERATION}/keywords/generated/{part}") for part in ("belly", "size"))
    assert f"(0.543 against {belly}), sizes more often (0.711 against {size})" in voices
    components = re.sub(r"\s+", " ", text("docs/results/components.md"))
    assert f"reaches colours {value(COLOURS)} after 2,200 updates at 64 px" in components


def test_what_the_judge_reads_of_real_drawings() -> None:
    page = re.sub(r"\s+", " ", text("docs/minibirds.md"))
    real = f"{GENERATION}/keywords/real"
    assert value(f"{real}/colours") == "1.000"
    bill = 100 * figure(f"{real}/bill")["value"]
    assert f"colours of real drawings without a fault and the bill in {bill:.1f} %" in page
