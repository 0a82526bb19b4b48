"""The page: say something, and see it drawn."""

import gradio as gr

from s2igan.serving.examples import Example
from s2igan.serving.gallery import Gallery
from s2igan.serving.model import SpeechToImage
from s2igan.serving.page_answers import Answers
from s2igan.serving.page_layout import Controls, Words, lay_out

# The microphone's tab goes where the browser gives no microphone, and the next one opens. Of one
# that is refused, Gradio tells the browser's console alone.
_WITHOUT_MICROPHONE = """() => {
    const told = document.documentElement.classList;
    const devices = navigator.mediaDevices;
    if (!devices) {
        told.add("no-microphone");
        document.querySelector("#by-file-button")?.click();
        return;
    }
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = wanted => {
        told.remove("refused");
        const stream = ask(wanted);
        stream.catch(() => told.add("refused"));
        return stream;
    };
}"""

# The button that was pressed goes, and the keyboard's focus with it: the next one takes it.
_FOCUS_ON_STOP = """() => requestAnimationFrame(() => {
    if (!document.activeElement.matches("body, .record-button")) return;
    document.querySelector("#microphone .stop-button")?.focus();
})"""

# On a phone the pictures lie below the fold: they come up when there are new ones.
_SHOW_PICTURES = """() => {
    const see = document.querySelector("#see");
    if (!see.querySelector(".pictures a")) return;
    if (see.getBoundingClientRect().top < innerHeight / 2) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    see.scrollIntoView({behavior: still ? "auto" : "smooth"});
}"""

# What went wrong is told at the top, which may be out of sight.
_SHOW_PROBLEM = """() => {
    const notice = document.querySelector("#problem .notice");
    if (!notice) return;
    const {top, bottom} = notice.getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    notice.scrollIntoView({block: "center", behavior: still ? "auto" : "smooth"});
}"""


def build_page(
    model: SpeechToImage,
    words: Words,
    gallery: Gallery | None,
    examples: list[Example],
) -> gr.Blocks:
    """Build the page over a model, with real pictures if there are any."""
    page = gr.Blocks(title="Speak, and see", analytics_enabled=False)
    with page:
        controls = lay_out(words, examples)
        _connect(controls, Answers(model, words, gallery, examples, controls))
        controls.pictures.change(None, js=_SHOW_PICTURES)
        controls.problem.change(None, js=_SHOW_PROBLEM)
        controls.microphone.start_recording(None, js=_FOCUS_ON_STOP)
        page.load(None, js=_WITHOUT_MICROPHONE)
    return page


def _connect(at: Controls, answers: Answers) -> None:
    choice = [at.count, at.variety, at.seed]
    everything = [
        at.problem,
        at.utterance,
        at.pictures,
        at.drawn,
        at.seed,
        at.heard,
        at.nearest,
        at.word,
        at.colour,
        at.swapped,
    ]
    # One shared identity: whatever uses the model waits for its turn. Of what is done meanwhile,
    # the last counts, as of the many values that a slider takes; gradio would drop all of it.
    waiting = {
        "trigger_mode": "always_last",
        "show_progress_on": at.pictures,
        "api_visibility": "private",
        "concurrency_id": "model",
        "concurrency_limit": 1,
    }
    for audio in (at.microphone, at.upload):
        gr.on([audio.change], answers.hear, [audio, *choice], everything, **waiting)
    gr.on(
        [at.speak.click, at.sentence.submit],
        answers.speak,
        [at.sentence, *choice],
        everything,
        **waiting,
    )
    gr.on(
        [at.examples.click],
        answers.try_example,
        [at.examples, *choice],
        [*everything, at.sentence],
        **waiting,
    )
    swap = (
        answers.swap,
        [at.utterance, at.word, at.colour, at.variety, at.seed],
        [at.swapped, at.problem],
    )
    gr.on([at.word.input, at.colour.input], *swap, **waiting)
    # A change from the keyboard is one too.
    gr.on(
        [at.count.change, at.variety.change, at.seed.change],
        answers.redraw,
        [at.utterance, at.drawn, *choice],
        [at.pictures, at.drawn, at.seed, at.problem],
        **waiting,
    ).then(*swap, **waiting)
    gr.on([at.again.click], answers.another_seed, None, at.seed, api_visibility="private")
