"""The page of one model folder: its words, its real pictures and its examples."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from s2igan.serving.card import heard_espeak, heard_one_synthesiser, is_minibirds
from s2igan.serving.examples import find_examples
from s2igan.serving.gallery import find_gallery
from s2igan.serving.language import language_of
from s2igan.serving.model import SpeechToImage
from s2igan.serving.page import build_page
from s2igan.serving.page_layout import Words
from s2igan.serving.voices import voice_is_installed

_ABOUT = "Describe a picture aloud. It is drawn from the sound alone, with no text in between."
_ABOUT_BIRDS = (
    "Describe a bird aloud, in {language}: its crown, back, belly, wings and tail, its size and "
    "bill. It is drawn from the sound alone, with no text in between."
)

_ONE_SYNTHESISER = (
    " This model has heard one synthesiser alone and understands other voices much worse: type a "
    "sentence to see what it can do."
)

_NO_VOICE = "Typing needs a voice: install `s2igan[voice]`, which carries espeak-ng."
_STRANGE_VOICE = (
    "This model has never heard the voice that speaks here, nor perhaps its language: what it "
    "draws may mean nothing."
)


def make_page(model: SpeechToImage, folder: Path, device: str) -> gr.Blocks:
    """Build the page over a model with the pictures and examples of the folder it was loaded from.

    Raises:
        UserError: if the real pictures or the examples are broken.
    """
    card, can_speak = model.card, voice_is_installed()
    language = language_of(card)
    gallery = find_gallery(folder, model.embedding_dim)
    words = Words(
        about=_about(card, language.name),
        footer=_footer(card, model.image_size, device),
        no_gallery=gallery if isinstance(gallery, str) else None,
        can_speak=can_speak,
        of_typing=_of_typing(card, can_speak=can_speak),
        language=language,
    )
    examples = find_examples(folder, card, can_speak=can_speak)
    return build_page(model, words, None if isinstance(gallery, str) else gallery, examples)


def _about(card: Mapping[str, Any], language: str) -> str:
    about = _ABOUT_BIRDS.format(language=language) if is_minibirds(card) else _ABOUT
    return about + _ONE_SYNTHESISER if heard_one_synthesiser(card) else about


def _of_typing(card: Mapping[str, Any], *, can_speak: bool) -> str:
    if not can_speak:
        return _NO_VOICE
    return "" if heard_espeak(card) else _STRANGE_VOICE


def _footer(card: Mapping[str, Any], size: int, device: str) -> str:
    name = escape(str(card.get("name", "A model without a card")))
    licence = f" Licence: {escape(str(card['licence']))}." if "licence" in card else ""
    return (
        f"<p>{name}; {size} px, drawn on {escape(device)}.{licence} What you say stays on the "
        "machine that serves this page, which deletes it within two hours.</p>"
    )
