"""The panels of the page as HTML: every picture with its words, nothing fetched from anywhere."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt

from s2igan.engine.pictures import Picture, encode_png
from s2igan.serving.colour_words import ColourWord, with_colour

# From silence to the loudest, dark to light, even in lightness: RGB.
_RAMP: Final = np.array(
    [(16, 24, 48), (24, 68, 98), (30, 122, 128), (92, 176, 130), (190, 216, 130), (252, 244, 190)],
    float,
)
# Standard deviations of a band that the ramp spans.
_MEL_RANGE = (-2.0, 2.5)


def pictures_panel(pictures: Picture, *, said: str, seed: int) -> str:
    """Show the pictures of one utterance, each a link that saves it.

    Args:
        pictures: ``(n, S, S, 3)`` uint8.
        said: what they were drawn from, such as the sentence in quotation marks.
        seed: of their noise; it names the saved files.
    """
    figures = "".join(
        f'<a href="{(address := picture_address(picture))}" download="s2igan-{seed}-{number}.png"'
        f' title="Save this picture"><img src="{address}"'
        f' alt="Picture {number} of {len(pictures)}, drawn from {escape(said)}"></a>'
        for number, picture in enumerate(pictures, 1)
    )
    return (
        f'<p class="said" role="status">Drawn from {escape(said)}'
        f'<span class="unseen"> with seed {seed}</span></p>'
        f'<div class="pictures">{figures}</div>'
    )


def no_pictures() -> str:
    """Hold the place of the pictures before anything was said."""
    tiles = "<span></span>" * 6
    return (
        '<p class="said" role="status">Nothing said yet</p>'
        f'<div class="pictures waiting" aria-hidden="true">{tiles}</div>'
    )


def heard_panel(
    log_mel: npt.NDArray[np.float32], flac: bytes, *, seconds: float, rate_hz: int
) -> str:
    """Show what the model hears: its log-mel frames, and the sound itself at its rate.

    Args:
        log_mel: ``(T, bands)`` float32, zero mean and unit variance per band.
        flac: the sound.
        seconds: its length.
        rate_hz: its rate, Hz.
    """
    frames, bands = log_mel.shape
    facts = f"{seconds:.1f} s at {rate_hz:,} Hz, {frames} frames of {bands} mel bands"
    sound = base64.b64encode(flac).decode()
    return (
        f'<img class="mel" src="{picture_address(mel_picture(log_mel))}"'
        f' alt="Log-mel spectrogram of what was said: {facts}. Time runs to the right, pitch up.">'
        f'<audio controls preload="metadata" src="data:audio/flac;base64,{sound}"'
        f' aria-label="What the model hears"></audio><p class="facts">{facts}</p>'
    )


def nearest_panel(pictures: Picture, cosines: npt.NDArray[np.float32], total: int) -> str:
    """Show real pictures, nearest first.

    Args:
        pictures: ``(n, S, S, 3)`` uint8.
        cosines: ``(n,)`` to the utterance.
        total: among how many they are the nearest.
    """
    figures = "".join(
        f'<figure><img src="{picture_address(picture)}" alt="Real picture, {place} nearest">'
        f"<figcaption>{cosine:.2f}</figcaption></figure>"
        for place, picture, cosine in zip(_places(len(pictures)), pictures, cosines, strict=True)
    )
    return (
        f'<div class="nearest">{figures}</div>'
        f'<p class="facts">The nearest of {total:,}, with their cosine to what was heard</p>'
    )


def swap_panel(sentence: str, word: ColourWord, colour: str, pairs: Sequence[Picture]) -> str:
    """Show a sentence above the same one with another colour word; a column shares its noise.

    Args:
        sentence: what was said first.
        word: the colour word in it.
        colour: what stands in its place below.
        pairs: before and after, each ``(n, S, S, 3)`` uint8.
    """
    changed = with_colour(sentence, word, colour)
    ends = (word.end, word.start + len(colour))
    rows = []
    # Read out is what was changed, and not the words of eight pictures after it.
    for role, text, end, pictures in zip(
        ("", ' role="status"'), (sentence, changed), ends, pairs, strict=True
    ):
        marked = (
            f"{escape(text[: word.start])}<mark>{escape(text[word.start : end])}</mark>"
            f"{escape(text[end:])}"
        )
        shown = "".join(
            f'<img src="{picture_address(picture)}" alt="Picture {number}, drawn from '
            f'“{escape(text)}”">'
            for number, picture in enumerate(pictures, 1)
        )
        rows.append(f'<p class="said"{role}>{marked}</p><div class="columns">{shown}</div>')
    return f'<div class="swap">{"".join(rows)}</div>'


def notice(text: str, kind: str = "problem") -> str:
    """Say something about what was just done; nothing where there is nothing to say.

    Args:
        text: plain words.
        kind: ``problem``, read out at once, or ``hint``.
    """
    if not text:
        return ""
    role = "alert" if kind == "problem" else "note"
    return f'<p class="notice {kind}" role="{role}">{escape(text)}</p>'


def mel_picture(log_mel: npt.NDArray[np.float32]) -> Picture:
    """Colour ``(T, bands)`` log-mel frames: ``(bands, T, 3)`` uint8, high bands at the top."""
    low, high = _MEL_RANGE
    level = np.clip((log_mel.T[::-1] - low) / (high - low), 0, 1) * (len(_RAMP) - 1)
    channels = [np.interp(level, np.arange(len(_RAMP)), _RAMP[:, c]) for c in range(3)]
    coloured: Picture = np.stack(channels, axis=-1).round().astype(np.uint8)
    return coloured


def picture_address(picture: Picture) -> str:
    """Return a picture, ``(H, W, 3)`` uint8, as a ``data:`` address that holds its PNG."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"


def _places(count: int) -> list[str]:
    endings = {1: "1st", 2: "2nd", 3: "3rd"}
    return [endings.get(place, f"{place}th") for place in range(1, count + 1)]
