"""From a folder of pictures and recordings, without text, classes or split, to drawn pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from s2igan.cli import main
from s2igan.config import Params, combination_problems
from s2igan.corpora.index import Corpus
from s2igan.engine.tables import read_table
from s2igan.serving.locate import find_model
from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import read_recording
from tests.pipeline.conftest import ROOT
from tests.pipeline.field_recordings import record, write_index
from tests.pipeline.in_process import run_stages

PICTURES = 40


def own_params() -> Params:
    """The smoke preset on a recorded corpus."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "presets" / "smoke.yaml").read_text("utf-8"))
    own = {"kind": "recorded", "edition": "river", "val_classes": 4, "test_share": 0.4}
    values["corpus"] |= own
    values["tts"]["engine"] = "recorded"
    values["features"]["mel"]["log_floor"] = 1e-6  # 1e-06 is a string to this reader
    return Params.model_validate(values)


def prepare(folder: Path) -> None:
    """Write pictures of one colour on another, two recordings each, and their index."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        ground, colour = rng.integers(0, 256, (2, 3), np.uint8)
        pixels = np.broadcast_to(ground, (90, 80, 3)).copy()
        pixels[20:60, 20:60] = colour
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    names = [f"{number:02d}_{take}" for number in range(PICTURES) for take in "ab"]
    files = record(folder, names, [f"nummer {name}" for name in names])
    write_index(
        folder,
        [
            {"image": f"{name[:2]}.png", "recording": file}
            for name, file in zip(names, files, strict=True)
        ],
    )


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything has run on recordings alone."""
    root = tmp_path_factory.mktemp("river")
    prepare(root / "archives" / "recorded" / "river")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("S2IGAN_ARCHIVES", str(root / "archives"))
        patch.setenv("DVC_ROOT", str(root))
        run_stages(own_params(), root)
    return root


def test_no_text_is_needed_anywhere(river: Path) -> None:
    corpus = Corpus(river / "artifacts" / "corpus")
    assert corpus.descriptions["text"].isna().all()
    assert not corpus.has_classes
    assert corpus.info["images"] == {"train": 20, "val": 4, "test": 16}
    assert np.load(river / "artifacts" / "features" / "characters.npy").size == 0
    drawn = np.load(river / "artifacts" / "samples" / "images.npy")
    rows = read_table(river / "artifacts" / "samples" / "samples.parquet", [])
    assert len(drawn) == len(rows)
    assert (rows["set"] == "test").sum() == 32
    assert drawn.std() > 0


def test_retrieval_asks_for_the_very_picture(river: Path) -> None:
    figures = json.loads((river / "embed.json").read_text())
    figure = figures["speech_to_image"]["mAP"]
    assert "32 captions of the split test" in figure["protocol"][0]
    assert any("the described picture is relevant" in line for line in figure["protocol"])
    summary = json.loads((river / "artifacts" / "sen" / "sen.json").read_text())["training"]
    assert summary["distinctive"] is False


def test_what_needs_text_or_classes_is_absent_with_a_reason(river: Path) -> None:
    figures = json.loads((river / "evaluate.json").read_text())
    for group in (
        figures["keywords"],
        figures["swap"],
        figures["consistency"]["paper_protocol"],
        figures["diversity"]["real_of_one_species"],
    ):
        assert list(group) == ["absent"]
    assert "value" in figures["consistency"]["all_pairs"]["mAP"]
    assert "value" in figures["fidelity"]["generated"]["FID"]
    assert (river / "plots" / "samples_grid.png").stat().st_size > 0


def test_a_recording_is_heard_in_the_repository_as_it_was_in_training(
    river: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "your-own-corpus.md").read_text("utf-8")
    command = page.partition("## 7.")[2].partition("$ s2igan ")[2].partition("\n")[0]
    recorded = river / "archives" / "recorded" / "river" / "00_a.wav"
    (river / "clip.wav").write_bytes(recorded.read_bytes())
    (river / "params.yaml").write_text(yaml.safe_dump(own_params().model_dump()), "utf-8")
    monkeypatch.chdir(river)
    monkeypatch.setenv("DVC_ROOT", str(river))
    assert main(command.split()) == 0
    assert capsys.readouterr().out.startswith("drawn.png: a picture of ")
    assert (river / "drawn.png").stat().st_size > 0
    heard = SpeechToImage.load(find_model(None)).embed([read_recording(Path("clip.wav"))])
    embeddings = np.load(river / "artifacts" / "embeddings" / "speech.npy")
    np.testing.assert_allclose(heard[0], embeddings[0], atol=1e-3)


def test_the_parameters_of_the_documentation_are_keys_of_every_preset() -> None:
    page = (ROOT / "docs" / "your-own-corpus.md").read_text("utf-8")
    shown = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    values = yaml.safe_load((ROOT / "presets" / "oxford102-cpu.yaml").read_text("utf-8"))
    values["features"]["mel"]["log_floor"] = 1e-6
    values["sen"] |= {name: float(values["sen"][name]) for name in ("lr", "weight_decay")}
    values["rdg"] |= {name: float(values["rdg"][name]) for name in ("lr_g", "lr_d")}
    for section, changes in shown.items():
        assert set(changes) <= set(values[section])
        values[section] |= changes
    params = Params.model_validate(values)
    assert combination_problems(params) == []
