"""The parts of docs/extending.md, put into a clone as printed, go through the pipeline together."""

import json
import re
from pathlib import Path

import pytest
import soundfile
import torch
from PIL import Image

from tests.pipeline.conftest import ROOT, clone_into
from tests.serving.makers import RATE, babble

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = re.findall(r"`(s2igan/\S+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
DIFFS = "".join(re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL))
SETTINGS = {
    "kind: minibirds": "kind: squares",
    "edition: drawn": "edition: plain",
    "backbones: [compact]": "backbones: [compact, resnet18]",
    "encoder: sed": "encoder: transformer",
    "adversarial: bce": "adversarial: hinge",
}


def edits() -> list[tuple[str, str, str]]:
    """Each file that the page changes, with the lines that stand there before and after."""
    found = []
    for file in re.split(r"^--- ", DIFFS, flags=re.MULTILINE)[1:]:
        path, _, hunks = file.partition("\n")
        for hunk in hunks.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in f" {s}") for s in "-+")
            found.append((path, old, new))
    return found


def put_into(folder: Path) -> None:
    for name, text in FILES:
        (folder / name).write_text(text, encoding="utf-8")
    given = [("params.yaml", old, new) for old, new in SETTINGS.items()]
    for name, old, new in [*edits(), *given]:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.long
def test_every_part_of_the_page_runs_as_it_is_printed(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    assert len(FILES) == PAGE.count("```python") == 5
    clone = clone_into(tmp_path / "clone")
    put_into(clone.folder)
    clone.run("python", "-m", "ruff", "check", "--no-cache", "s2igan")
    clone.run("python", "-m", "ruff", "format", "--no-cache", "--check", "s2igan")
    held = ("-p", "no:cacheprovider", "tests/sen/test_descriptions.py")
    clone.run("python", "-m", "pytest", *held)
    weights = clone.folder / ".s2igan" / "archives" / "weights"
    weights.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(resnet18(weights=None).state_dict(), weights / "resnet18.pth")

    said = clone.run("dvc", "repro", check=False)
    assert "got no s2igan/corpora/squares.py; expected all source files" in said
    clone.run("python", "-m", "tests.pipeline.dependencies")
    clone.run("dvc", "repro")

    artifacts = clone.folder / "artifacts"
    assert json.loads((artifacts / "corpus" / "corpus.json").read_text())["kind"] == "squares"
    seen = json.loads((artifacts / "features" / "backbone.json").read_text())
    assert (seen["names"], seen["dimension"]) == (["compact", "resnet18"], 192 + 512)
    assert json.loads((artifacts / "rdg" / "sen.json").read_text())["encoder"] == "transformer"
    figures = json.loads((clone.folder / "metrics" / "generation.json").read_text())
    agreement = figures["agreement"]["cosine"]
    assert -1 <= agreement["low"] <= agreement["value"] <= agreement["high"] <= 1
    assert "corpus squares, edition plain" in agreement["protocol"]
    assert "agreement/cosine\tred\t" in (clone.folder / "metrics" / "classes.tsv").read_text()
    assert re.search(r"\n  cosine +-?0\.\d", clone.run("python", "-m", "s2igan.cli", "report"))
    soundfile.write(clone.folder / "clip.wav", babble(), RATE)
    clone.run("python", "-m", "s2igan.cli", "speak", "clip.wav", "-o", "spoken.png")
    with Image.open(clone.folder / "spoken.png") as picture:
        assert picture.size == (32, 32)
