"""What the page answers: what is shown and told, and that neither outlives what it is of."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
import torch

from s2igan.serving.examples import Example
from tests.serving.makers import RATE, TTS, babble, write_model

if TYPE_CHECKING:
    from s2igan.serving.page_answers import Answers

TEXT = "A bird with a red crown."
CHOICE = (2, 3.0, 1)


@pytest.fixture(params=[True])
def page(tmp_path: Path, request: pytest.FixtureRequest) -> "Answers":
    """Answers by the names of controls, over a small model with a clip; parameter: can it speak?"""
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    from s2igan.serving.language import ENGLISH
    from s2igan.serving.model import SpeechToImage
    from s2igan.serving.page_answers import Answers
    from s2igan.serving.page_layout import Controls, Words

    folder = write_model(tmp_path / "model")
    (folder / "card.json").write_text(json.dumps({"tts": TTS}))
    soundfile.write(folder / "clip.wav", babble(), RATE)
    model = SpeechToImage.load(folder, torch.device("cpu"))
    words = Words("", "", "", request.param, "" if request.param else "Install it.", ENGLISH)
    examples = [Example(TEXT, folder / "clip.wav")]
    names: dict[str, Any] = {field.name: field.name for field in fields(Controls)}
    return Answers(model, words, None, examples, Controls(**names))


def test_pictures_of_what_is_gone_keep_their_seed(page: "Answers") -> None:
    shown = page.try_example(0, *CHOICE)
    assert shown["drawn"] == 1
    gone = page.redraw(None, shown["drawn"], 2, 3.0, 7)
    assert gone["seed"] == 1
    assert "say it again" in gone["problem"]
    assert "pictures" not in gone
    assert page.swap(None, "red crown", "blue", 3.0, 7)["problem"] == gone["problem"]


def test_before_anything_is_said_nothing_is_told(page: "Answers") -> None:
    unchanged = {"problem": {"__type__": "update"}}
    assert page.redraw(None, None, *CHOICE) == unchanged
    assert page.swap(None, None, None, 3.0, 1) == unchanged


@pytest.mark.parametrize(
    ("asked", "drawn"), [(-1, 0), (9999, 9999), (1e300, 9999), (2.6, 3), (7.0, 7), (None, 0)]
)
def test_a_seed_that_is_none_becomes_the_nearest(
    page: "Answers", asked: float | None, drawn: int
) -> None:
    shown = page.try_example(0, 1, 3.0, asked)
    assert shown["drawn"] == drawn
    assert f's2igan-{drawn}-1.png"' in shown["pictures"]
    assert shown.get("seed", asked) == (None if asked is None else drawn)


def test_what_succeeds_takes_the_last_problem_away(page: "Answers") -> None:
    pytest.importorskip("espeakng_loader", reason="no espeak-ng to speak the changed sentence")
    utterance = page.try_example(0, *CHOICE)["utterance"]
    assert page.redraw(utterance, 1, 2, 3.0, 7)["problem"] == ""
    assert page.swap(utterance, "red crown", "blue", 3.0, 1)["problem"] == ""


def test_a_clip_in_another_voice_is_spoken_anew_beside_the_changed_sentence(
    page: "Answers",
) -> None:
    pytest.importorskip("espeakng_loader", reason="no espeak-ng to speak the sentences")
    clip, typed = (
        answer["utterance"] for answer in (page.try_example(0, *CHOICE), page.speak(TEXT, *CHOICE))
    )
    of_clip, of_typed = (
        page.swap(utterance, "red crown", "blue", 3.0, 1)["swapped"] for utterance in (clip, typed)
    )
    assert of_clip.startswith(of_typed)
    assert "not that of the clip" in of_clip.removeprefix(of_typed)


@pytest.mark.parametrize("page", [False], indirect=True)
def test_without_a_voice_no_colour_is_offered(
    page: "Answers", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    shown = page.try_example(0, *CHOICE)
    assert not shown["word"].visible
    assert not shown["colour"].visible
    assert "Install it." in shown["swapped"]
    assert shown["problem"] == ""
