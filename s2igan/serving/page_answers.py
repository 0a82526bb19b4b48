"""What the page answers to each thing that a visitor does."""

import random
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeAlias

import gradio as gr
import numpy as np

from s2igan.errors import UserError
from s2igan.serving.colour_words import ColourWord, colour_words, with_colour
from s2igan.serving.examples import Example
from s2igan.serving.gallery import Gallery
from s2igan.serving.language import language_of
from s2igan.serving.page_layout import HIGHEST_SEED, SWAP_HINT, Controls
from s2igan.serving.page_panels import (
    heard_panel,
    nearest_panel,
    notice,
    pictures_panel,
    swap_panel,
)
from s2igan.serving.page_utterance import Model, Utterance, hear_clip, hear_sentence

Answer: TypeAlias = dict[Any, Any]
"""New values of some of the page's components."""

_NEAREST = 12
_SWAPPED = 4
_NO_COLOUR = "This sentence names no colour that could be changed."
_PICK = "Choose the colour that it becomes."

P = ParamSpec("P")


def _told(method: "Callable[Concatenate[Answers, P], Answer]") -> Callable[..., Answer]:
    """Let a method tell what a visitor did wrong, under the recording, and change nothing else."""

    @wraps(method)
    def told(answers: "Answers", *arguments: P.args, **more: P.kwargs) -> Answer:
        try:
            return method(answers, *arguments, **more)
        except UserError as error:
            text = str(error)
            return {answers.controls.problem: notice(f"{text[0].upper()}{text[1:]}.")}

    return told


class Answers:
    """One method per thing that a visitor does; each returns only what changes.

    Args:
        model: hears and draws.
        gallery: real pictures, if there are any.
        examples: what can be tried.
        controls: whose values the answers are.
    """

    def __init__(
        self,
        model: Model,
        gallery: Gallery | None,
        examples: list[Example],
        controls: Controls,
    ) -> None:
        self._model = model
        self._gallery = gallery
        self._examples = examples
        self._language = language_of(model.card)
        self.controls = controls

    @_told
    def hear(self, path: str | None, count: int, variety: float, seed: int | None) -> Answer:
        """Answer a recording; a cleared one only takes the last problem away."""
        if path is None:
            return {self.controls.problem: ""}
        utterance = hear_clip(self._model, Path(path))
        return self._show(utterance, count, variety, seed)

    @_told
    def speak(self, text: str, count: int, variety: float, seed: int | None) -> Answer:
        """Answer a typed sentence."""
        return self._show(hear_sentence(self._model, text), count, variety, seed)

    @_told
    def try_example(self, index: int, count: int, variety: float, seed: int | None) -> Answer:
        """Answer one of the examples."""
        text, clip = self._examples[index]
        if clip is None:
            utterance = hear_sentence(self._model, text)
        else:
            utterance = hear_clip(self._model, clip, text)
        return {**self._show(utterance, count, variety, seed), self.controls.sentence: text}

    @_told
    def redraw(
        self, utterance: Utterance | None, count: int, variety: float, seed: int | None
    ) -> Answer:
        """Draw anew what was said before."""
        if utterance is None:
            return {self.controls.problem: ""}
        return {self.controls.pictures: self._pictures(utterance, count, variety, seed)}

    def another_seed(self) -> int:
        """Draw a seed; that it changes draws the pictures anew."""
        return random.randrange(HIGHEST_SEED + 1)

    @_told
    def swap(
        self,
        utterance: Utterance | None,
        label: str | None,
        colour: str | None,
        variety: float,
        seed: int | None,
    ) -> Answer:
        """Speak the sentence once more with another colour word, and draw both with one noise."""
        word = self._word(utterance, label)
        if utterance is None or utterance.text is None or word is None or colour is None:
            return {self.controls.problem: ""}
        changed = hear_sentence(self._model, with_colour(utterance.text, word, colour))
        pairs = self._model.draw(
            np.stack([utterance.embedding, changed.embedding]),
            count=_SWAPPED,
            seed=seed or 0,
            truncation=variety,
        )
        return {self.controls.swapped: swap_panel(utterance.text, word, colour, list(pairs))}

    def _show(self, utterance: Utterance, count: int, variety: float, seed: int | None) -> Answer:
        at = self.controls
        return {
            at.problem: "",
            at.utterance: utterance,
            at.pictures: self._pictures(utterance, count, variety, seed),
            at.heard: heard_panel(
                utterance.log_mel,
                utterance.flac,
                seconds=utterance.seconds,
                rate_hz=self._model.sample_rate_hz,
            ),
            **self._nearest(utterance),
            **self._offer_swap(utterance),
        }

    def _pictures(self, utterance: Utterance, count: int, variety: float, seed: int | None) -> str:
        seed = seed or 0
        (pictures,) = self._model.draw(
            utterance.embedding[None], count=count, seed=seed, truncation=variety
        )
        return pictures_panel(pictures, said=utterance.said, seed=seed)

    def _nearest(self, utterance: Utterance) -> Answer:
        if self._gallery is None:
            return {}
        found = self._gallery.nearest(utterance.embedding, _NEAREST)
        return {self.controls.nearest: nearest_panel(*found, len(self._gallery.embeddings))}

    def _offer_swap(self, utterance: Utterance) -> Answer:
        labels = [word.label for word in self._words(utterance)]
        hint = _PICK if labels else _NO_COLOUR if utterance.text else SWAP_HINT
        return {
            self.controls.word: gr.Radio(
                choices=labels, value=labels[0] if labels else None, visible=bool(labels)
            ),
            self.controls.colour: gr.Radio(value=None, visible=bool(labels)),
            self.controls.swapped: notice(hint, "hint"),
        }

    def _words(self, utterance: Utterance | None) -> list[ColourWord]:
        text = utterance.text if utterance else None
        return colour_words(text or "", self._language)

    def _word(self, utterance: Utterance | None, label: str | None) -> ColourWord | None:
        return next((word for word in self._words(utterance) if word.label == label), None)
