"""The programs of docs/python.md run, in their order, where the pipeline has run."""

import json
import re
import shlex
import shutil
from pathlib import Path

import soundfile
from PIL import Image

from tests.pipeline.conftest import ROOT, Clone
from tests.serving.makers import RATE, babble

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BY_HAND, DRAW, TRAIN, UPDATE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

LOAD = """
from pathlib import Path
import numpy as np
import torch
from s2igan.evaluation.fidelity import frechet_distance
from s2igan.evaluation.judge import Judge
from s2igan.rdg.artifact import load_generator
from s2igan.sen.artifact import load_image_encoder, load_speech_encoder
from s2igan.sen.images import load_image_embedding
from s2igan.vision.backbones import load_backbone
cpu, hears = torch.device("cpu"), load_speech_encoder("artifacts/sen")
pictures = np.load("artifacts/samples/images.npy")
judge = Judge(load_backbone("compact", Path("artifacts/weights")), cpu)
seen, inverted = (
    judge.see(lambda rows: shown[rows], np.arange(len(shown)), "mine")
    for shown in (pictures, 255 - pictures)
)
distance = frechet_distance(seen, inverted)
print(abs(frechet_distance(seen, seen)) < 1e-3 * distance, end=" ")
sees = load_image_embedding("artifacts/features", "artifacts/weights", "artifacts/sen", cpu)
print(sees(torch.rand(2, 3, 32, 32)).shape == (2, hears.embedding_dim),
      load_image_encoder("artifacts/sen").embedding_dim == hears.embedding_dim,
      load_generator("artifacts/rdg").embedding_dim == hears.embedding_dim)
"""


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


def test_the_objective_trains_other_encoders(fresh: Clone) -> None:
    said = run(fresh, TRAIN, "print(sorted(terms))")
    assert "['distinctive', 'loss', 'matching']" in said


def test_what_an_own_loop_has_trained_is_spoken_to_and_judged(fresh: Clone) -> None:
    before = fresh.changed()
    said = run(fresh, UPDATE, "print(sorted(losses)[0], pictures.shape)")
    assert "D_16 (8, 32, 32, 3)" in said
    soundfile.write(fresh.folder / "clip.wav", babble(), RATE)
    for command in shell_commands(UPDATE):
        fresh.run(*command)
    with Image.open(fresh.folder / "spoken.png") as picture:
        assert picture.size == (32, 32)
    figures = json.loads((fresh.folder / "own" / "generation.json").read_text())
    own = json.loads((fresh.folder / "metrics" / "generation.json").read_text())
    assert figures.keys() == own.keys()
    assert figures["fidelity"]["generated"]["FID"] != own["fidelity"]["generated"]["FID"]
    for name in ("artifacts/own", "artifacts/own-samples", "own"):
        shutil.rmtree(fresh.folder / name)
    for name in ("clip.wav", "spoken.png"):
        (fresh.folder / name).unlink()
    assert fresh.changed() == before


def shell_commands(program: str) -> list[list[str]]:
    """What the page types after ``program``."""
    block = PAGE.partition(program)[2].partition("```console\n")[2].partition("```")[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines]


def test_the_parts_of_the_table_are_called_as_it_says(fresh: Clone) -> None:
    assert run(fresh, LOAD) == "True True True True\n"
