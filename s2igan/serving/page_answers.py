"""What the page answers to each thing that a visitor does."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeAlias

import gradio as gr
import numpy as np

from s2igan.errors import UserError
from s2igan.serving.colour_words import ColourWord, colour_words, with_colour
from s2igan.serving.examples import Example
from s2igan.serving.gallery import Gallery
from s2igan.serving.model import SpeechToImage
from s2igan.serving.page_layout import HIGHEST_SEED, Controls, Words
from s2igan.serving.page_panels import (
    heard_panel,
    nearest_panel,
    notice,
    pictures_panel,
    swap_panel,
)
from s2igan.serving.page_utterance import Utterance, hear_clip, hear_sentence

Answer: TypeAlias = dict[Any, Any]
"""New values of some of the page's components."""

_NEAREST = 12
_SWAPPED = 4
_NO_COLOUR = "This sentence names no colour that could be changed."
_PICK = "Choose the colour that it becomes."
_SPOKEN_ANEW = "Both rows are spoken by one voice, which is not that of the clip."
_GONE = "What you said was kept for an hour and is gone by now; say it again."

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


@dataclass(frozen=True, eq=False)
class Answers:
    """One method per thing that a visitor does; each returns only what changes of ``controls``."""

    model: SpeechToImage
    words: Words
    gallery: Gallery | None
    examples: list[Example]
    controls: Controls

    @_told
    def hear(self, path: str | None, count: int, variety: float, seed: float | None) -> Answer:
        """Answer a recording; a cleared one only takes the last problem away."""
        if path is None:
            return {self.controls.problem: ""}
        utterance = hear_clip(self.model, Path(path))
        return self._show(utterance, count, variety, seed)

    @_told
    def speak(self, text: str, count: int, variety: float, seed: float | None) -> Answer:
        """Answer a typed sentence."""
        return self._show(hear_sentence(self.model, text), count, variety, seed)

    @_told
    def try_example(self, index: int, count: int, variety: float, seed: float | None) -> Answer:
        """Answer one of the examples."""
        text, clip = self.examples[index]
        if clip is None:
            utterance = hear_sentence(self.model, text)
        else:
            utterance = hear_clip(self.model, clip, text)
        return {**self._show(utterance, count, variety, seed), self.controls.sentence: text}

    @_told
    def redraw(
        self,
        utterance: Utterance | None,
        drawn: int | None,
        count: int,
        variety: float,
        seed: float | None,
    ) -> Answer:
        """Draw anew what was said before; of what is gone by now, the pictures keep their seed."""
        if utterance is not None:
            return {self.controls.problem: "", **self._draw(utterance, count, variety, seed)}
        if drawn is None:
            return self._nothing()
        return {self.controls.problem: notice(_GONE), self.controls.seed: drawn}

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
        seed: float | None,
    ) -> Answer:
        """Speak a sentence and the same with another colour word, and draw both with one noise."""
        if utterance is None and label is not None:
            return {self.controls.problem: notice(_GONE)}
        word = self._word(utterance, label)
        if utterance is None or utterance.text is None or word is None or colour is None:
            return self._nothing()
        # A clip may be in another voice, which would change the pictures as well.
        said = hear_sentence(self.model, utterance.text).embedding
        changed = hear_sentence(self.model, with_colour(utterance.text, word, colour)).embedding
        pairs = self.model.draw(
            np.stack([said, changed]), count=_SWAPPED, seed=_whole(seed), truncation=variety
        )
        anew = "" if np.array_equal(said, utterance.embedding) else notice(_SPOKEN_ANEW, "hint")
        shown = swap_panel(utterance.text, word, colour, list(pairs))
        return {self.controls.problem: "", self.controls.swapped: shown + anew}

    def _nothing(self) -> Answer:
        return {self.controls.problem: gr.skip()}  # an answer must not be empty

    def _show(self, utterance: Utterance, count: int, variety: float, seed: float | None) -> Answer:
        at = self.controls
        return {
            at.problem: "",
            at.utterance: utterance,
            **self._draw(utterance, count, variety, seed),
            at.heard: heard_panel(
                utterance.log_mel,
                utterance.flac,
                seconds=utterance.seconds,
                rate_hz=self.model.sample_rate_hz,
            ),
            **self._nearest(utterance),
            **self._offer_swap(utterance),
        }

    def _draw(
        self, utterance: Utterance, count: int, variety: float, asked: float | None
    ) -> Answer:
        at, seed = self.controls, _whole(asked)
        (pictures,) = self.model.draw(
            utterance.embedding[None], count=count, seed=seed, truncation=variety
        )
        shown = pictures_panel(pictures, said=utterance.said, seed=seed)
        # Sent back in any case, a seed would overwrite what is being typed.
        corrected = {} if asked in (None, seed) else {at.seed: seed}
        return {at.pictures: shown, at.drawn: seed, **corrected}

    def _nearest(self, utterance: Utterance) -> Answer:
        if self.gallery is None:
            return {}
        found = self.gallery.nearest(utterance.embedding, _NEAREST)
        return {self.controls.nearest: nearest_panel(*found, len(self.gallery.embeddings))}

    def _offer_swap(self, utterance: Utterance) -> Answer:
        labels = [word.label for word in self._words(utterance)]
        words = self.words
        named = utterance.text and words.can_speak
        hint = _PICK if labels else _NO_COLOUR if named else words.of_swapping
        return {
            self.controls.word: gr.Radio(
                choices=labels, value=labels[0] if labels else None, visible=bool(labels)
            ),
            self.controls.colour: gr.Radio(value=None, visible=bool(labels)),
            self.controls.swapped: notice(hint, "hint"),
        }

    def _words(self, utterance: Utterance | None) -> list[ColourWord]:
        words = self.words
        text = utterance.text if utterance and words.can_speak else None
        return colour_words(text or "", words.language)

    def _word(self, utterance: Utterance | None, label: str | None) -> ColourWord | None:
        return next((word for word in self._words(utterance) if word.label == label), None)


def _whole(seed: float | None) -> int:
    """Return the nearest seed that there is; an empty field is 0."""
    return round(min(HIGHEST_SEED, max(0, seed or 0)))
