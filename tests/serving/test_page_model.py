"""What the page says of the model that it is for."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.makers import TTS

if TYPE_CHECKING:
    from s2igan.serving.page_layout import Words

WordsOf = Callable[[dict[str, Any]], "Words"]


@pytest.fixture
def words_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WordsOf:
    """What the page of a model with such a card says."""
    # Loaded here, since it takes seconds, and every process collects this file.
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    from s2igan.serving import page_layout, page_model

    monkeypatch.setattr(page_model, "voice_is_installed", lambda: True)
    monkeypatch.setattr(page_model, "build_page", lambda _, words, *__: words)

    def told(card: dict[str, Any]) -> "Words":
        model: Any = SimpleNamespace(card=card, image_size=64, embedding_dim=4)
        words: Any = page_model.make_page(model, tmp_path, "cpu")
        assert isinstance(words, page_layout.Words)
        return words

    return told


@pytest.mark.parametrize(("language", "red"), [("english", "red"), ("indonesian", "merah")])
def test_the_page_speaks_the_language_that_the_model_knows(
    language: str, red: str, words_of: WordsOf
) -> None:
    corpus = {"kind": "minibirds", "minibirds": {"language": language}}
    words = words_of({"corpus": corpus, "tts": TTS})
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
    tts: dict[str, object], told: bool, words_of: WordsOf
) -> None:
    card = {"corpus": {"kind": "recorded"}, "tts": {**TTS, **tts}}
    assert ("has never heard the voice" in words_of(card).of_typing) == told


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
    tts: dict[str, object], told: bool, words_of: WordsOf
) -> None:
    card = {"corpus": {"kind": "minibirds"}, "tts": {**TTS, **tts}}
    assert ("understands other voices much worse" in words_of(card).about) == told


def test_a_model_without_a_card_says_nothing_of_its_voices(words_of: WordsOf) -> None:
    assert "synthesiser" not in words_of({}).about
