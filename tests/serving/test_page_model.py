"""What the page says of the model that it is for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.serving.makers import TTS

pytest.importorskip("gradio", reason="the page needs the extra `demo`")

from s2igan.serving import page_model
from s2igan.serving.page_layout import Words


@pytest.fixture(autouse=True)
def only_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_model, "voice_is_installed", lambda: True)
    monkeypatch.setattr(page_model, "build_page", lambda _, words, *__: words)


def words_of(card: dict[str, Any], folder: Path) -> Words:
    model: Any = SimpleNamespace(card=card, image_size=64)
    words: Any = page_model.make_page(model, folder, "cpu")
    assert isinstance(words, Words)
    return words


@pytest.mark.parametrize(("language", "red"), [("english", "red"), ("indonesian", "merah")])
def test_the_page_speaks_the_language_that_the_model_knows(
    language: str, red: str, tmp_path: Path
) -> None:
    corpus = {"kind": "minibirds", "minibirds": {"language": language}}
    words = words_of({"corpus": corpus, "tts": TTS}, tmp_path)
    assert f"in {language.capitalize()}" in words.about
    assert words.language.colours[0] == red


@pytest.mark.parametrize(
    ("tts", "told"),
    [
        ({"engine": "recorded"}, True),
        ({"engine": "tacotron2"}, True),
        ({"engine": "espeak"}, False),
        ({"engine": "espeak", "voices": ["flite/slt"]}, True),
        ({"engine": "espeak", "voices": ["flite/slt", "en-us"]}, False),
    ],
)
def test_a_model_of_other_voices_has_never_heard_that_of_typed_sentences(
    tts: dict[str, object], told: bool, tmp_path: Path
) -> None:
    card = {"corpus": {"kind": "recorded"}, "tts": {**TTS, **tts}}
    assert ("has never heard the voice" in words_of(card, tmp_path).of_typing) == told


@pytest.mark.parametrize(
    ("tts", "told"),
    [
        ({"engine": "espeak", "voices": ["en-us", "en-us+f1"]}, True),
        ({"engine": "espeak", "voices": ["flite/slt", "flite/rms"]}, True),
        ({"engine": "tacotron2"}, True),
        ({"engine": "espeak", "voices": ["en-us", "flite/rms"]}, False),
        ({"engine": "recorded"}, False),
    ],
)
def test_people_are_told_where_one_synthesiser_spoke_in_training(
    tts: dict[str, object], told: bool, tmp_path: Path
) -> None:
    card = {"corpus": {"kind": "minibirds"}, "tts": {**TTS, **tts}}
    assert ("understands people much worse" in words_of(card, tmp_path).about) == told


def test_a_model_without_a_card_says_nothing_of_its_voices(tmp_path: Path) -> None:
    assert "synthesiser" not in words_of({}, tmp_path).about
