"""The programs of docs/python.md run, in their order, where the pipeline has run."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from s2igan.cli import main
from s2igan.evaluation.fidelity import frechet_distance
from s2igan.evaluation.judge import Judge
from s2igan.rdg.artifact import load_generator
from s2igan.sen.artifact import load_image_encoder, load_speech_encoder
from s2igan.sen.images import load_image_embedding
from s2igan.vision.backbones import load_backbone
from stages import sample
from tests.pipeline.conftest import ROOT, Clone
from tests.serving.makers import RATE, babble

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BY_HAND, DRAW, TRAIN, UPDATE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(program: str) -> dict[str, Any]:
    """Run it in this process, which has loaded PyTorch already; return its names."""
    names: dict[str, Any] = {}
    exec(program, names)
    return names


def test_the_precision_taken_by_hand_is_that_of_the_figures(fresh: Clone) -> None:
    program = f"{BY_HAND}print(len(samples) / rate_hz > 0.5)"
    said = fresh.run("python", "-W", "error", "-c", program)
    figures = json.loads((fresh.folder / "metrics" / "retrieval.json").read_text())
    assert f"mAP {figures['speech_to_image']['mAP']['value']:.3f}\n" in said
    assert said.endswith("True\n")


def test_another_models_pictures_are_judged_under_its_name(
    inside: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = inside.changed()
    run(DRAW)
    assert main(["score", "artifacts/theirs", "-o", str(tmp_path)]) == 0
    shutil.rmtree(inside.folder / "artifacts" / "theirs")
    assert inside.changed() == before
    figures = json.loads((tmp_path / "generation.json").read_text())
    protocol = " ".join(figures["fidelity"]["generated"]["FID"]["protocol"])
    assert "64-px pictures of a grey that follows the sound" in protocol
    assert "F_ca" not in protocol
    own = json.loads((inside.folder / "metrics" / "generation.json").read_text())
    assert figures.keys() == own.keys()
    assert "a grey that follows the sound" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("inside")
def test_the_objective_trains_other_encoders() -> None:
    assert sorted(run(TRAIN)["terms"]) == ["distinctive", "loss", "matching"]


def test_what_an_own_loop_has_trained_is_spoken_to_and_judged(inside: Clone) -> None:
    before = inside.changed()
    names = run(UPDATE)
    assert min(names["losses"]) == "D_16"
    assert names["pictures"].shape == (8, 32, 32, 3)
    soundfile.write(inside.folder / "clip.wav", babble(), RATE)
    for program, *words in shell_commands(UPDATE):
        if program == "s2igan":
            assert main(words) == 0
        else:
            assert (program, *words[:2]) == ("python", "-m", "stages.sample")
            assert sample.STAGE.main(words[2:]) == 0
    with Image.open(inside.folder / "spoken.png") as picture:
        assert picture.size == (32, 32)
    figures = json.loads((inside.folder / "own" / "generation.json").read_text())
    own = json.loads((inside.folder / "metrics" / "generation.json").read_text())
    assert figures.keys() == own.keys()
    assert figures["fidelity"]["generated"]["FID"] != own["fidelity"]["generated"]["FID"]
    for name in ("artifacts/own", "artifacts/own-samples", "own"):
        shutil.rmtree(inside.folder / name)
    for name in ("clip.wav", "spoken.png"):
        (inside.folder / name).unlink()
    assert inside.changed() == before


def shell_commands(program: str) -> list[list[str]]:
    """What the page types after ``program``."""
    block = PAGE.partition(program)[2].partition("```console\n")[2].partition("```")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines]


@pytest.mark.usefixtures("inside")
def test_the_parts_of_the_table_are_called_as_it_says() -> None:
    cpu, hears = torch.device("cpu"), load_speech_encoder("artifacts/sen")
    pictures = np.load("artifacts/samples/images.npy")
    judge = Judge(load_backbone("compact", Path("artifacts/weights")), cpu)
    seen, inverted = (
        judge.see(shown.__getitem__, np.arange(len(shown)), "mine")
        for shown in (pictures, 255 - pictures)
    )
    assert abs(frechet_distance(seen, seen)) < 1e-3 * frechet_distance(seen, inverted)
    sees = load_image_embedding("artifacts/features", "artifacts/weights", "artifacts/sen", cpu)
    assert sees(torch.rand(2, 3, 32, 32)).shape == (2, hears.embedding_dim)
    assert load_image_encoder("artifacts/sen").embedding_dim == hears.embedding_dim
    assert load_generator("artifacts/rdg").embedding_dim == hears.embedding_dim
