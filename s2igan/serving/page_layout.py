"""Where things stand on the page."""

from dataclasses import dataclass
from html import escape

import gradio as gr

from s2igan.serving.examples import Example
from s2igan.serving.language import Language
from s2igan.serving.limits import LONGEST_TEXT, SECONDS_KEPT
from s2igan.serving.page_panels import no_pictures, notice

FULL_VARIETY = 3.0
"""Where the slider of variety ends: noise beyond so many standard deviations is rare."""

PICTURES = 12
HIGHEST_SEED = 9999

_SWAP_HINT = "Type a sentence that names a colour; then change that colour here."

_NO_MICROPHONE = (
    "No microphone here: browsers allow it only on pages that come over HTTPS or from the same "
    "machine, and this one came over plain HTTP. Upload a recording, or start the page with --lan."
)
_REFUSED = (
    "The browser gives this page no microphone. Allow it beside the page's address, or connect "
    "one, and press Record again; or upload a recording."
)


@dataclass(frozen=True)
class Words:
    """What the page says about the model at hand.

    Args:
        about: what to describe, under the title; HTML.
        footer: what the model is and where it runs; HTML.
        no_gallery: why there are no real pictures; ``None`` if there are.
        can_speak: whether typed sentences can be spoken here.
        of_typing: what to know before typing one; empty if nothing.
        language: that it was spoken to in.
    """

    about: str
    footer: str
    no_gallery: str | None
    can_speak: bool
    of_typing: str
    language: Language

    @property
    def of_swapping(self) -> str:
        """What changing a colour takes."""
        return _SWAP_HINT if self.can_speak else self.of_typing


@dataclass(frozen=True)
class Controls:
    """What a visitor can do, and where the answers appear.

    ``utterance`` is what was said, while it is kept, and ``drawn`` the seed of the pictures shown.
    """

    microphone: gr.Audio
    upload: gr.Audio
    sentence: gr.Textbox
    speak: gr.Button
    examples: gr.Dataset
    problem: gr.HTML
    pictures: gr.HTML
    count: gr.Slider
    variety: gr.Slider
    seed: gr.Number
    again: gr.Button
    heard: gr.HTML
    nearest: gr.HTML
    word: gr.Radio
    colour: gr.Radio
    swapped: gr.HTML
    utterance: gr.State
    drawn: gr.State


def lay_out(words: Words, examples: list[Example]) -> Controls:
    """Place everything; called inside ``gr.Blocks``."""
    gr.HTML(f"<h1>Speak, and see</h1><p>{words.about}</p>", elem_id="title")
    with gr.Row(elem_id="main"):
        with gr.Column(scale=5, min_width=320, elem_id="say", elem_classes="card"):
            saying = _lay_out_saying(words, examples)
        with gr.Column(scale=7, min_width=320, elem_id="see", elem_classes="card"):
            seeing = _lay_out_seeing()
    with gr.Row(elem_classes="pair"):
        heard = _panel(
            "What the model hears", "The sound as it reaches the model, and its log-mel."
        )
        nearest = _panel(
            "Nearest real pictures",
            words.no_gallery
            or "The closest to what was heard, in the space of speech and pictures.",
        )
    with gr.Column(elem_id="change", elem_classes="card"):
        gr.HTML("<h2>Change one colour</h2>")
        with gr.Row():
            word = gr.Radio([], label="This colour …", visible=False, elem_id="word")
            colour = gr.Radio(
                list(words.language.colours), label="… becomes", visible=False, elem_id="colour"
            )
        swapped = gr.HTML(notice(words.of_swapping, "hint"))
    gr.HTML(words.footer, elem_id="footer")
    utterance, drawn = gr.State(time_to_live=SECONDS_KEPT), gr.State()
    return Controls(*saying, *seeing, heard, nearest, word, colour, swapped, utterance, drawn)


def _lay_out_saying(
    words: Words, examples: list[Example]
) -> tuple[gr.Audio, gr.Audio, gr.Textbox, gr.Button, gr.Dataset, gr.HTML]:
    gr.HTML(notice(_NO_MICROPHONE, "hint"), elem_id="no-microphone")
    with gr.Tabs():
        with gr.Tab("Speak", elem_id="by-voice"):
            microphone = _audio("microphone", "Your voice")
            gr.HTML(notice(_REFUSED), elem_id="refused")
        with gr.Tab("Upload", elem_id="by-file"):
            upload = _audio("upload", "A WAV, FLAC, OGG or MP3 file")
        with gr.Tab("Type", elem_id="by-text"):
            sentence = gr.Textbox(
                label="A sentence, which a voice will speak",
                placeholder=examples[0].text if examples else "",
                info=words.of_typing,
                max_length=LONGEST_TEXT,
                interactive=words.can_speak,
                submit_btn=False,
                elem_id="sentence",
            )
            speak = gr.Button(
                "Speak it", variant="primary", interactive=words.can_speak, elem_id="speak"
            )
    problem = gr.HTML(elem_id="problem")
    shown = gr.Dataset(
        components=[gr.HTML(visible=False)],
        samples=[[escape(example.text)] for example in examples],
        label="Or try one of these",
        type="index",
        layout="gallery",
        visible=bool(examples),
        elem_id="examples",
    )
    return microphone, upload, sentence, speak, shown, problem


def _audio(source: str, label: str) -> gr.Audio:
    return gr.Audio(
        sources=source,  # type: ignore[arg-type]
        type="filepath",
        label=label,
        buttons=[],
        elem_id=source,
        waveform_options=gr.WaveformOptions(sample_rate=48_000),
    )


def _lay_out_seeing() -> tuple[gr.HTML, gr.Slider, gr.Slider, gr.Number, gr.Button]:
    gr.HTML("<h2>What comes of it</h2>")
    pictures = gr.HTML(no_pictures(), elem_id="pictures")
    with gr.Row(elem_id="choice"):
        count = gr.Slider(1, PICTURES, 6, step=1, label="Pictures", buttons=[], elem_id="count")
        variety = gr.Slider(
            0.1,
            FULL_VARIETY,
            FULL_VARIETY,
            step=0.1,
            label="Variety",
            buttons=[],
            elem_id="variety",
        )
    with gr.Row(elem_id="luck"):
        seed = gr.Number(1, label="Seed", elem_id="seed")
        again = gr.Button("Draw again", elem_id="again")
    return pictures, count, variety, seed, again


def _panel(title: str, hint: str) -> gr.HTML:
    with gr.Column(min_width=320, elem_classes="card"):
        gr.HTML(f"<h2>{title}</h2>")
        return gr.HTML(notice(hint, "hint"))
