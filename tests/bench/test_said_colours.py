"""How bench.said_colours counts, and what it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.said_colours import colour_said, colours_seen, hear, rows
from s2igan.corpora.attributes import COLOURS
from s2igan.errors import UserError
from s2igan.serving.locate import DEFAULT
from s2igan.serving.model import SpeechToImage

RED, BLUE = COLOURS.index("red"), COLOURS.index("blue")


def test_a_name_says_the_colour_and_who() -> None:
    assert [colour_said(name) for name in ("red.ogg", "blue-of-ana.wav")] == [RED, BLUE]
    with pytest.raises(UserError, match=r"recording 'a red\.ogg'; expected a name that begins"):
        colour_said("a red.ogg")


def test_the_five_parts_count_and_nothing_else() -> None:
    # Columns 5 to 7 are wing bars, size and bill, whose rows mean no colour.
    readings = np.full((2, 8), RED)
    readings[0, :3] = BLUE
    readings[:, 5:] = BLUE
    seen = colours_seen(readings)
    assert seen[BLUE] == pytest.approx(0.3)
    assert seen[RED] == pytest.approx(0.7)


def test_colours_weigh_alike_and_chance_is_of_the_other_recordings() -> None:
    said = np.array([RED, RED, RED, BLUE])
    seen = np.zeros((4, 8))
    seen[:, RED] = [1.0, 0.5, 0.0, 0.2]
    seen[:, BLUE] = [0.0, 0.3, 0.6, 0.8]
    assert [line.split() for line in rows(said, seen)] == [
        ["red", "3", "0.500", "0.200"],
        ["blue", "1", "0.800", "0.300"],
        ["all", "4", "0.650", "0.250"],
    ]


@pytest.fixture(scope="module")
def shipped() -> SpeechToImage:
    return SpeechToImage.load(DEFAULT)


def test_birds_are_drawn_of_recordings_and_read(shipped: SpeechToImage, tmp_path: Path) -> None:
    # "A large black bird with ... a red tail" and "... a blue back, a white belly ..."
    shutil.copy(DEFAULT / "example-3.flac", tmp_path / "black-1.flac")
    shutil.copy(DEFAULT / "example-2.flac", tmp_path / "blue-1.flac")
    said, seen = hear(tmp_path, shipped, pictures=8)
    black, blue = COLOURS.index("black"), BLUE
    assert said.tolist() == [black, blue]
    np.testing.assert_allclose(seen.sum(axis=1), 1)
    assert seen[0, black] > 0.5 > seen[1, black]
    assert seen[1, blue] > 0.15 > seen[0, blue]


def test_one_colour_has_no_chance_to_compare_with(shipped: SpeechToImage, tmp_path: Path) -> None:
    shutil.copy(DEFAULT / "example-3.flac", tmp_path / "black.flac")
    with pytest.raises(UserError, match="got 1 files; expected two colours said"):
        hear(tmp_path, shipped, pictures=1)
