import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image

from s2igan.serving.colour_words import colour_words
from s2igan.serving.language import ENGLISH
from s2igan.serving.page_panels import (
    heard_panel,
    mel_picture,
    nearest_panel,
    no_pictures,
    notice,
    pictures_panel,
    swap_panel,
)
from s2igan.speech.audio import encode_flac

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 5, 5, 3), np.uint8)
SPITEFUL = '<script>alert("1")</script>'


class Tags(HTMLParser):
    """All tags of a panel with their attributes."""

    def __init__(self, panel: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(panel)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def shown(image: dict[str, str | None]) -> npt.NDArray[np.uint8]:
    encoded = str(image["src"]).removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_pictures_are_shown_as_they_are_and_each_can_be_saved() -> None:
    tags = Tags(pictures_panel(PICTURES, said="“a bird”", seed=7))
    np.testing.assert_array_equal([shown(image) for image in tags.of("img")], PICTURES)
    saved = [(link["download"], link["href"]) for link in tags.of("a")]
    assert [name for name, _ in saved] == [f"s2igan-7-{n}.png" for n in (1, 2, 3)]
    assert [address for _, address in saved] == [image["src"] for image in tags.of("img")]


def test_the_sound_is_what_the_model_hears() -> None:
    pcm = RNG.integers(-9000, 9000, 4000).astype(np.int16)
    panel = heard_panel(
        np.zeros((50, 20), np.float32), encode_flac(pcm, 8000), seconds=0.5, rate_hz=8000
    )
    (audio,) = Tags(panel).of("audio")
    encoded = str(audio["src"]).removeprefix("data:audio/flac;base64,")
    heard, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(encoded)), dtype="int16")
    np.testing.assert_array_equal(heard, pcm)
    assert rate_hz == 8000
    assert "0.5 s at 8,000 Hz, 50 frames of 20 mel bands" in panel


def test_a_log_mel_is_brighter_where_it_is_louder_with_high_bands_on_top() -> None:
    frames = np.tile(np.linspace(-2, 2.5, 9, dtype=np.float32), (4, 1))
    picture = mel_picture(frames)
    assert picture.shape == (9, 4, 3)
    brightness = picture[:, 0].astype(int).sum(axis=1)
    assert (np.diff(brightness) < 0).all()


def test_a_swap_marks_the_word_and_keeps_the_order_of_the_noise() -> None:
    sentence = "A red bird with a blue tail."
    panel = swap_panel(
        sentence, colour_words(sentence, ENGLISH)[1], "yellow", [PICTURES, 255 - PICTURES]
    )
    assert re.findall("<mark>(.*?)</mark>", panel) == ["blue", "yellow"]
    images = Tags(panel).of("img")
    np.testing.assert_array_equal(
        [shown(image) for image in images], [*PICTURES, *(255 - PICTURES)]
    )
    assert "A red bird with a yellow tail." in str(images[-1]["alt"])


def test_a_screen_reader_hears_of_other_pictures_but_not_each_of_them() -> None:
    drawn = [read_out(pictures_panel(PICTURES, said="“a bird”", seed=seed)) for seed in (7, 8)]
    assert drawn == [f"Drawn from “a bird” with seed {seed}" for seed in (7, 8)]
    word = colour_words("A red bird.", ENGLISH)[0]
    assert read_out(swap_panel("A red bird.", word, "blue", [PICTURES] * 2)) == "A blue bird."


def read_out(panel: str) -> str:
    """Return the one status of a panel, which holds words alone."""
    (said,) = re.findall(r'<p[^>]*role="status">(.*?)</p>', panel)
    assert panel.count('role="status"') == 1
    assert "<img" not in said
    return re.sub("<.*?>", "", said)


def test_every_picture_has_words_and_what_is_said_stays_words() -> None:
    cosines = np.array([0.9, 0.5, 0.1], np.float32)
    word = colour_words(f"red {SPITEFUL}", ENGLISH)[0]
    panels = [
        pictures_panel(PICTURES, said=SPITEFUL, seed=1),
        nearest_panel(PICTURES, cosines, 1234),
        swap_panel(f"red {SPITEFUL}", word, "blue", [PICTURES, PICTURES]),
        notice(SPITEFUL),
        no_pictures(),
    ]
    for panel in panels:
        tags = Tags(panel)
        assert not tags.of("script")
        assert all(image["alt"] for image in tags.of("img"))
    assert [text for text in ("0.90", "0.50", "0.10", "1,234") if text not in panels[1]] == []


def test_a_problem_is_read_out_and_no_problem_is_silent() -> None:
    assert 'role="alert"' in notice("Too long.")
    assert 'role="note"' in notice("Type something.", "hint")
    assert notice("") == ""
