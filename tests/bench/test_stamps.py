"""The corpora that bench.stamps makes of Tux Paint's stamps, on stamps of its layout."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench import stamps
from bench.command import run
from bench.stamps import on_white, read_stamps, write_corpus

NAMES = "A green apple.\nfr.utf8=Une pomme verte.\nca@valencia.utf8=Una poma.\nxx.utf8=?\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of one stamp in PNG, one in SVG, and one without a name."""
    fruit = tmp_path / "stamps" / "food" / "fruit"
    fruit.mkdir(parents=True)
    for name, text in (("apple", NAMES), ("pear", "A pear."), ("nameless", "...")):
        (fruit / f"{name}.txt").write_text(text)
    image = Image.new("RGBA", (30, 20))
    image.paste((0, 200, 0, 255), (10, 5, 20, 10))
    for name in ("apple", "nameless"):
        image.save(fruit / f"{name}.png")
    (fruit / "pear.svg").write_text("<svg/>")
    for language in ("", "_fr", "_xx"):
        (fruit / f"apple_desc{language}.ogg").write_text(f"apple{language}")
    return tmp_path / "stamps"


def test_stamps_in_png_that_have_a_name_are_read(folder: Path) -> None:
    (stamp,) = read_stamps(folder)
    assert stamp.picture.name == "apple.png"
    assert stamp.names == {"en": "A green apple.", "fr": "Une pomme verte.", "xx": "?"}
    assert sorted(stamp.recordings) == ["en", "fr"]
    assert stamp.word == "green_apple"


def test_a_stamp_lies_in_the_middle_of_a_white_square(folder: Path) -> None:
    pixels = np.asarray(on_white(folder / "food" / "fruit" / "apple.png"))
    assert pixels.shape == (128, 128, 3)
    green = pixels[..., 0] < 100
    rows, columns = np.flatnonzero(green.any(axis=1)), np.flatnonzero(green.any(axis=0))
    # 10 by 5 pixels in a square of 11.
    assert len(columns) == pytest.approx(128 * 10 / 11, abs=6)
    assert len(rows) == pytest.approx(128 * 5 / 11, abs=6)
    assert rows.mean() == pytest.approx(63.5, abs=8)
    assert (pixels[0, 0] == 255).all()


def test_some_people_train_and_others_test(folder: Path, tmp_path: Path) -> None:
    voices = tmp_path / "voices"
    for language in ("fr", "de", "xx"):
        (voices / language / "words").mkdir(parents=True)
        (voices / language / "words" / "green_apple.ogg").write_text(f"other {language}")
    write_corpus([*read_stamps(folder)], voices, tmp_path / "corpus", ["people"])
    index = pd.read_csv(tmp_path / "corpus" / "index.csv")
    assert index.to_numpy().tolist() == [
        ["train/0000.png", "people/0000_en.ogg", "train"],
        ["train/0000.png", "people/0000_fr.ogg", "train"],
        ["test/0000.png", "others/0000_de.ogg", "test"],
        ["test/0000.png", "others/0000_fr.ogg", "test"],
    ]
    corpus = tmp_path / "corpus"
    assert (corpus / "people/0000_fr.ogg").read_text() == "apple_fr"
    assert (corpus / "others/0000_de.ogg").read_text() == "other de"
    assert (corpus / "train/0000.png").read_bytes() == (corpus / "test/0000.png").read_bytes()


def test_espeak_says_every_name_in_four_voices_of_its_language(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$2 $6 ${10}" > "$8"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    write_corpus([*read_stamps(folder)], tmp_path, tmp_path / "corpus", ["synthetic"])
    said = pd.read_csv(tmp_path / "corpus" / "index.csv")
    assert set(said["image"]) == {"train/0000.png"}
    spoken = [
        (tmp_path / "corpus" / name).read_text().split(maxsplit=2) for name in said["recording"]
    ]
    for language, text in (("fr-fr", "Une pomme verte."), ("en-us", "A green apple.")):
        voices = {voice for voice, _, words in spoken if words.strip() == text}
        assert len(voices) == 4
        assert all(voice.startswith(language) for voice in voices)
    assert len(spoken) == 8
    assert all(30 <= int(pitch) <= 70 for _, pitch, _ in spoken)


def test_a_folder_that_is_there_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["stamps", str(folder), str(folder), str(folder), "--train", "people"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="2"):
        run(stamps.main)
    assert "got a folder; expected a new name" in capsys.readouterr().err
