"""The programs of docs/python.md run, in their order, where the pipeline has run."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.pipeline.conftest import ROOT, Clone

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BY_HAND, DRAW, TRAIN, UPDATE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(clone: Clone, program: str, after: str = "") -> str:
    return clone.run("python", "-W", "error", "-c", program + after)


def test_the_precision_taken_by_hand_is_that_of_the_figures(fresh: Clone) -> None:
    said = run(fresh, BY_HAND, "print(len(samples) / rate_hz > 0.5)")
    figures = json.loads((fresh.folder / "metrics" / "retrieval.json").read_text())
    assert f"mAP {figures['speech_to_image']['mAP']['value']:.3f}\n" in said
    assert said.endswith("True\n")


def test_another_models_pictures_are_judged_under_its_name(fresh: Clone, tmp_path: Path) -> None:
    before = fresh.changed()
    run(fresh, DRAW)
    said = fresh.run("s2igan", "score", "artifacts/theirs", "-o", str(tmp_path))
    shutil.rmtree(fresh.folder / "artifacts" / "theirs")
    assert fresh.changed() == before
    figures = json.loads((tmp_path / "generation.json").read_text())
    protocol = " ".join(figures["fidelity"]["generated"]["FID"]["protocol"])
    assert "64-px pictures of a grey that follows the sound" in protocol
    assert "F_ca" not in protocol
    own = json.loads((fresh.folder / "metrics" / "generation.json").read_text())
    assert figures.keys() == own.keys()
    assert "a grey that follows the sound" in " ".join(said.split())


@pytest.mark.parametrize(
    ("program", "shown", "expected"),
    [
        (TRAIN, "print(sorted(terms))", "['distinctive', 'loss', 'matching']"),
        (UPDATE, "print(sorted(losses)[0], pictures.shape)", "D_16 (8, 32, 32, 3)"),
    ],
    ids=["objective", "update"],
)
def test_a_part_learns_by_itself(fresh: Clone, program: str, shown: str, expected: str) -> None:
    assert expected in run(fresh, program, shown)
