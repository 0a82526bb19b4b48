"""Recordings unlike the default corpus: other voices and languages, rates, channels and formats."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from s2igan.speech.audio import from_pcm, resample
from s2igan.speech.espeak import say
from s2igan.speech.lines import Line

VOICES = ("de", "fr+m3", "sw+f1", "tr", "hi+m7")
FORMATS = (("wav", 44100, 2), ("mp3", 32000, 2), ("flac", 48000, 1), ("ogg", 16000, 1))


def record(folder: Path, names: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Speak ``texts`` into files under ``folder``, with silence around; no text is written.

    Args:
        folder: receives the files.
        names: of the files, without suffix.
        texts: one per name; said by voices of several languages in turn.

    Returns:
        The files' names.
    """
    lines = [Line(voice, 160, 50, text) for voice, text in zip(cycle(VOICES), texts, strict=False)]
    order = sorted(range(len(lines)), key=lambda row: lines[row].voice)
    spoken = say([lines[row] for row in order], [names[row] for row in order])
    files = [""] * len(lines)
    for row, (pcm, spoken_hz) in zip(order, spoken, strict=True):
        suffix, rate, channels = FORMATS[row % len(FORMATS)]
        files[row] = f"{names[row]}.{suffix}"
        wave = resample(from_pcm(pcm), spoken_hz, rate)
        pause: npt.NDArray[np.float32] = np.zeros(rate // 2, np.float32)
        samples = np.concatenate([pause, 0.3 * wave, pause])
        stereo = np.repeat(samples[:, None], channels, axis=1)
        soundfile.write(folder / files[row], stereo, rate)
    return files


def write_index(folder: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write ``index.csv`` as a spreadsheet of a country with decimal commas would."""
    listed = [*rows]
    with (folder / "index.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(listed)
