"""An exported model draws what the pipeline's does, and says what it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from s2igan.errors import UserError
from s2igan.serving.card import read_card
from s2igan.serving.export import export_model
from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import Recording
from tests.corpora.makers import clip, folder_bytes
from tests.serving.makers import RATE, TTS, babble, write_model, write_pipeline

CPU = torch.device("cpu")


def drawn(folder: Path) -> np.ndarray:
    model = SpeechToImage.load(folder, CPU)
    recordings = [Recording(babble(seed), RATE) for seed in range(4)]
    return model.draw(model.embed(recordings), count=4, seed=1).astype(int)


def test_pictures_stay_the_same_at_float32(tmp_path: Path) -> None:
    rdg = write_model(tmp_path / "rdg")
    export_model(rdg, {}, tmp_path / "out", precision="float32")
    np.testing.assert_array_equal(drawn(tmp_path / "out"), drawn(rdg))


def test_pictures_stay_the_same_within_rounding_at_float16(tmp_path: Path) -> None:
    rdg = write_model(tmp_path / "rdg")
    export_model(rdg, {}, tmp_path / "out")
    difference = np.abs(drawn(tmp_path / "out") - drawn(rdg))
    assert difference.max() <= 2
    assert difference.mean() < 0.2
    weights = ("generator.safetensors", "speech_encoder.safetensors")
    sizes = [
        sum((folder / name).stat().st_size for name in weights)
        for folder in (tmp_path / "out", rdg)
    ]
    assert sizes[0] < 0.8 * sizes[1]


def test_weights_that_float16_cannot_hold_are_kept(tmp_path: Path) -> None:
    rdg = write_model(tmp_path / "rdg")
    from safetensors.torch import load_file, save_file

    weights = load_file(rdg / "generator.safetensors")
    weights["conditioning.linear.weight"][0, 0] = 1e6
    save_file(weights, rdg / "generator.safetensors")
    export_model(rdg, {}, tmp_path / "out")
    kept = load_file(tmp_path / "out" / "generator.safetensors")["conditioning.linear.weight"]
    assert kept[0, 0] == 1e6
    assert kept.dtype == torch.float32


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    root = write_pipeline(tmp_path)
    rdg = root / "artifacts" / "rdg"
    for name in ("one", "two"):
        export_model(rdg, read_card(rdg), tmp_path / name)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


def test_card_and_readme_say_what_it_was_trained_on(tmp_path: Path) -> None:
    rdg = write_pipeline(tmp_path) / "artifacts" / "rdg"
    size = export_model(rdg, read_card(rdg), tmp_path / "out")
    assert size == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    model = SpeechToImage.load(tmp_path / "out", CPU)
    assert model.card["corpus"] == {"kind": "minibirds", "edition": "drawn"}
    assert model.card["figures"]["retrieval"]["speech_to_image"]["mAP"]["value"] == 0.985
    assert model.card["licence"] == "Apache-2.0"
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for said in (
        "| real pictures found by speech, mAP | 0.985 | 0.492 – 1.000 | 0.100 |",
        "| mentioned attributes seen in the drawn picture | 0.750 |",
        "by ear",
        "by espeak-ng in the voices en-us+m3, en-us, at 150",
        "one synthesiser alone and understands other voices much worse",
        "2,200 steps of 24 pictures",
        "Apache-2.0",
        "32 × 32",
    ):
        assert said in readme.replace("\n", " ") or said in readme


@pytest.mark.parametrize(
    ("encoder", "told"),
    [
        ("trained", "The speech encoder was trained for 500 steps of 128 pairs, the generator for"),
        ("untrained", "The speech encoder was not trained, the generator was, for"),
        ("end_to_end", "The speech encoder was trained together with the generator, for"),
    ],
)
def test_the_readme_says_how_its_own_encoder_was_trained(
    tmp_path: Path, encoder: str, told: str
) -> None:
    rdg = write_pipeline(tmp_path) / "artifacts" / "rdg"
    card = read_card(rdg)
    export_model(rdg, {**card, "rdg": {**card["rdg"], "speech_encoder": encoder}}, tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"{told} 2,200 steps of 24 pictures." in readme
    assert readme.count("The speech encoder was ") == 1


@pytest.mark.parametrize(
    ("voices", "spoken"),
    [
        (["en-us", "en-us+f1"], "espeak-ng in the voices en-us, en-us+f1, at"),
        (
            ["en-us", "flite/rms", "en-us+f1", "flite/awb"],
            "espeak-ng in the voices en-us, en-us+f1 and by flite in the voices rms, awb, at",
        ),
        (
            ["en-us", "flite/rms", "rhvoice/alan", "flite/awb"],
            "espeak-ng in the voices en-us; by flite in the voices rms, awb; and by rhvoice in the "
            "voices alan, at",
        ),
    ],
)
def test_the_readme_names_the_programs_that_spoke_and_their_voices(
    tmp_path: Path, voices: list[str], spoken: str
) -> None:
    rdg = write_pipeline(tmp_path) / "artifacts" / "rdg"
    card = {**read_card(rdg), "tts": {**TTS, "voices": voices}}
    export_model(rdg, card, tmp_path / "out")
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert spoken in readme
    worse = "may understand people" if "flite/rms" in voices else "understands other voices much"
    assert f"{worse} worse" in readme


def test_an_exported_model_can_be_exported_again(tmp_path: Path) -> None:
    rdg = write_pipeline(tmp_path) / "artifacts" / "rdg"
    export_model(rdg, read_card(rdg), tmp_path / "one")
    export_model(tmp_path / "one", read_card(tmp_path / "one"), tmp_path / "two")
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


def test_something_else_is_never_replaced(tmp_path: Path) -> None:
    rdg = write_model(tmp_path / "rdg")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years")
    with pytest.raises(UserError, match="something else"):
        export_model(rdg, {}, mine)
    with pytest.raises(UserError, match="a file"):
        export_model(rdg, {}, mine / "thesis.tex")
    assert (mine / "thesis.tex").read_text() == "years"


@pytest.mark.parametrize("here", ["out", "out/deeper"])
def test_the_folder_that_one_stands_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str
) -> None:
    rdg = write_model(tmp_path / "rdg")
    (tmp_path / here).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    with pytest.raises(UserError, match="got the folder that you stand in"):
        export_model(rdg, {}, tmp_path / "out")
    assert Path.cwd().samefile(tmp_path / here)


def test_what_somebody_laid_beside_an_export_is_never_lost(tmp_path: Path) -> None:
    rdg, out = write_model(tmp_path / "rdg"), tmp_path / "out"
    export_model(rdg, {"name": "one"}, out)
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("ref")
    with pytest.raises(UserError, match=r"got '\.git' there"):
        export_model(rdg, {"name": "two"}, out)
    assert (out / ".git" / "HEAD").read_text() == "ref"
    assert SpeechToImage.load(out, CPU).card["name"] == "one"


def test_a_list_of_clips_that_cannot_be_read_names_no_clip(tmp_path: Path) -> None:
    rdg, out = write_model(tmp_path / "rdg"), tmp_path / "out"
    export_model(rdg, {"name": "one"}, out)
    (out / "examples.json").write_text("{broken")
    with pytest.raises(UserError, match="a list of examples there that cannot be read"):
        export_model(rdg, {"name": "two"}, out)


def test_an_earlier_export_is_replaced_whole(tmp_path: Path) -> None:
    rdg, spoken = write_model(tmp_path / "rdg"), write_model(tmp_path / "spoken", seed=1)
    (spoken / "examples.json").write_text('{"red.flac": "A red bird."}')
    (spoken / "red.flac").write_bytes(clip(300, format="FLAC"))
    out = tmp_path / "out"
    export_model(spoken, {"name": "one"}, out)
    assert (out / "red.flac").exists()
    (out / ".DS_Store").write_bytes(b"where its window stood")
    export_model(rdg, {"name": "two"}, out)
    assert json.loads((out / "card.json").read_text())["name"] == "two"
    assert not {"red.flac", "examples.json"} & {path.name for path in out.iterdir()}


def test_a_failing_export_leaves_the_earlier_one(tmp_path: Path) -> None:
    rdg, out = write_model(tmp_path / "rdg"), tmp_path / "out"
    export_model(rdg, {"name": "one"}, out)
    (rdg / "rdg.json").unlink()
    with pytest.raises(UserError):
        export_model(rdg, {}, out)
    assert SpeechToImage.load(out, CPU).card["name"] == "one"
