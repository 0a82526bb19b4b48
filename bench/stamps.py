"""Corpora of pictures that people have named aloud in ten languages; other people test them.

    python -m bench.stamps STAMPS VOICES FOLDER --train people [synthetic]

STAMPS is `/usr/share/tuxpaint/stamps` of Debian's package tuxpaint-stamps-default: pictures, their
names in many languages, and recordings of one person per language. VOICES is a clone of
https://github.com/gcompris/GCompris-voices, in which other people say common words. FOLDER becomes
a corpus of recordings (docs/your-own-corpus.md). Its training pictures are described by the former
people, by espeak-ng, which the machine must have, or by both. Its test pictures are the same ones
once more, described by the latter people: known words from the mouths of strangers.
"""

import argparse
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image

from bench.command import run
from s2igan.errors import UserError

# espeak-ng's voice of every language that the stamps are recorded in, and of German.
_VOICES = {
    "be": "be", "bg": "bg", "ca": "ca", "da": "da", "de": "de", "el": "el",
    "en": "en-us", "es": "es", "fr": "fr-fr", "ro": "ro", "ru": "ru",
}  # fmt: skip
_VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4")
_RENDITIONS = 4
_SIDE = 128
_NO_LETTERS = re.compile(r"[\W_]+")


class Stamp(NamedTuple):
    """A picture, its name by language, and who says it.

    Attributes:
        picture: its PNG file.
        names: text by language.
        recordings: a file by language.
    """

    picture: Path
    names: dict[str, str]
    recordings: dict[str, Path]

    @property
    def word(self) -> str:
        """Its English name without article, spelt as GCompris spells file names."""
        words = _NO_LETTERS.sub(" ", self.names["en"].lower()).split()
        return "_".join(words[1:] if words[0] in ("a", "an", "the", "some") else words)


def read_stamps(folder: Path) -> Iterator[Stamp]:
    """Yield the stamps in a folder that are PNG files and have a name."""
    for table in sorted(folder.rglob("*.txt")):
        first, *others = table.read_text(errors="replace").splitlines() or [""]
        picture = table.with_suffix(".png")
        if not picture.exists() or not _NO_LETTERS.sub("", first):
            continue
        lines = (re.fullmatch(r"(\w+)\.utf8=(.+)", line) for line in others)
        names = {line[1]: line[2].strip() for line in lines if line} | {"en": first}
        recordings = {
            path.stem.rpartition("_desc")[2].removeprefix("_") or "en": path
            for path in sorted(table.parent.glob(f"{table.stem}_desc*.ogg"))
        }
        yield Stamp(picture, names, {k: v for k, v in recordings.items() if k in _VOICES})


def on_white(picture: Path) -> Image.Image:
    """Return a stamp in the middle of a white square, without what is transparent around it."""
    with Image.open(picture) as image:
        stamp = image.convert("RGBA")
    stamp = stamp.crop(stamp.getchannel("A").getbbox())
    side = round(1.1 * max(stamp.size))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(stamp, ((side - stamp.width) // 2, (side - stamp.height) // 2))
    return square.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def speak(stamps: list[Stamp], folder: Path) -> list[tuple[int, Path]]:
    """Have espeak-ng say every name in every language, four times in different voices.

    Returns:
        The number of the stamp and the file, per rendition.
    """
    rng = random.Random(1)
    said, commands = [], []
    for number, stamp in enumerate(stamps):
        for language in sorted(_VOICES.keys() & stamp.names):
            for variant in rng.sample(_VARIANTS, _RENDITIONS):
                file = folder / f"{number:04}_{language}{variant}.wav"
                rate, pitch = rng.randint(130, 190), rng.randint(30, 70)
                voice = _VOICES[language] + variant
                settings = ["-v", voice, "-s", str(rate), "-p", str(pitch), "-w", str(file)]
                commands.append(["espeak-ng", *settings, "--", stamp.names[language]])
                said.append((number, file))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda command: subprocess.run(command, check=True), commands))
    return said


def write_corpus(stamps: list[Stamp], voices: Path, folder: Path, train: list[str]) -> None:
    """Write pictures, recordings and index of one corpus.

    Args:
        stamps: from :func:`read_stamps`.
        voices: of other people, by language and English word.
        folder: where to; it must not be there yet.
        train: `people`, `synthetic` or both.
    """
    for name in ("train", "test", "people", "synthetic", "others"):
        (folder / name).mkdir(parents=True)
    rows = []
    spoken = speak(stamps, folder / "synthetic") if "synthetic" in train else []
    for number, stamp in enumerate(stamps):
        heard = [file for of, file in spoken if of == number]
        if "people" in train:
            for language, path in stamp.recordings.items():
                heard.append(folder / "people" / f"{number:04}_{language}.ogg")
                shutil.copy(path, heard[-1])
        strangers = []
        for path in sorted(voices.glob(f"*/words/{stamp.word}.ogg")):
            if (language := path.parts[-3]) in _VOICES:
                strangers.append(folder / "others" / f"{number:04}_{language}.ogg")
                shutil.copy(path, strangers[-1])
        for split, recordings in (("train", heard), ("test", strangers)):
            if recordings:
                picture = folder / split / f"{number:04}.png"
                on_white(stamp.picture).save(picture)
                rows += [(picture, recording, split) for recording in recordings]
    index = pd.DataFrame(rows, columns=["image", "recording", "split"])
    for column in ("image", "recording"):
        index[column] = [path.relative_to(folder).as_posix() for path in index[column]]
    index.to_csv(folder / "index.csv", index=False)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stamps", type=Path)
    parser.add_argument("voices", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", choices=["people", "synthetic"], required=True)
    return parser


def main() -> None:
    """Write the corpus."""
    args = build_parser().parse_args()
    stamps = [*read_stamps(args.stamps)]
    if not stamps:
        raise UserError(f"{str(args.stamps)!r}", expected="stamps of Tux Paint")
    if "synthetic" in args.train and not shutil.which("espeak-ng"):
        raise UserError("--train synthetic", expected="the program espeak-ng on the PATH")
    if args.folder.exists():
        raise UserError(f"{str(args.folder)!r}", got="a folder", expected="a new name")
    write_corpus(stamps, args.voices, args.folder, args.train)


if __name__ == "__main__":
    run(main)
