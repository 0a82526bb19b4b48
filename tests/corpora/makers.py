"""Tiny published archives and prepared folders."""

import csv
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from PIL import Image
from scipy.io import savemat

from s2igan.corpora import oxford102
from s2igan.corpora.archives import Archives
from s2igan.corpora.index import Corpus, open_recordings
from s2igan.corpora.task import Task

CLASSES = 5
TEST_CLASSES = [1, 2]
PER_CLASS = 2
LABELS = [3, 1, 5, 2, 4, 3, 1, 5, 2, 4]
DROPPED = 8
"""Number of the picture, from 1, whose second caption is the listed quirk."""


def jpeg(seed: int, side: int = 24) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 4, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def published(name: str, /, **facts: object) -> dict[str, object]:
    """A manifest's entry without address, size and checksum: no test asks a server elsewhere."""
    return {
        "name": name,
        "address": None,
        "mirrors": [],
        "note": None,
        "bytes": None,
        "checksum": None,
        "source": "somebody",
        **facts,
    }


@dataclass
class Flowers:
    """Ten pictures of five classes with two captions each; change what should be wrong."""

    labels: list[int] = field(default_factory=lambda: list(LABELS))
    pictures: dict[int, bytes] = field(
        default_factory=lambda: {number: jpeg(number) for number in range(1, len(LABELS) + 1)}
    )
    captions: dict[tuple[int, int], bytes] = field(
        default_factory=lambda: {
            (label, number): f"flower {number} is red\n  flower {number} is big\n".encode()
            for number, label in enumerate(LABELS, start=1)
        }
    )
    counts: dict[str, int] = field(
        default_factory=lambda: {
            "classes": CLASSES,
            "captions_per_image": 2,
            "images": 10,
            "train_images": 6,
            "test_images": 4,
            "utterances": 19,
            "test_utterances": 8,
        }
    )
    recordings: dict[str, bytes] = field(
        default_factory=lambda: {
            f"oxford_audio/audio/class_{label:05d}/image_{number:05d}/{take}.wav": clip(
                100 * number + 10 * take
            )
            for number, label in enumerate(LABELS, start=1)
            for take in (1, 0)
        }
    )

    def __post_init__(self) -> None:
        self.captions[LABELS[DROPPED - 1], DROPPED] = b"flower 8 is red\n{}\n"

    def add(self, label: int) -> None:
        """Add one more sound picture of a training class."""
        self.labels.append(label)
        number = len(self.labels)
        self.pictures[number] = jpeg(number)
        self.captions[label, number] = b"one more flower\none more big flower\n"
        for what, more in (("images", 1), ("train_images", 1), ("utterances", 2)):
            self.counts[what] += more

    def write(self, folder: Path) -> Path:
        """Write archives and manifest into ``folder``; return the manifest."""
        # The published archives are not in the order of their numbers either.
        late_first = sorted(self.pictures.items(), reverse=True)
        named = [(f"jpg/image_{number:05d}.jpg", data) for number, data in late_first]
        write_tar(folder / "a.tar", named[:4])
        write_tar(folder / "b.tgz", [*named[4:], ("README", b"flowers")], "w:gz")
        savemat(folder / "labels.mat", {"labels": np.array([self.labels], np.uint8)})
        texts = [
            (f"set/text_c10/class_{label:05d}/image_{number:05d}.txt", data)
            for (label, number), data in self.captions.items()
        ]
        write_tar(folder / "captions.tar.gz", [("set/list.txt", b""), *texts], "w:gz")
        write_tar(folder / "speech.tar.gz", self.recordings.items(), "w:gz")
        return self.write_manifest(folder)

    def write_manifest(self, folder: Path) -> Path:
        manifest = folder / "flowers.yaml"
        content = {
            "sources": {"somebody": {"citation": "Somebody 2008", "licence": "none stated"}},
            "test_classes": TEST_CLASSES,
            "counts": self.counts,
            "dropped_captions": [
                {"image": f"image_{DROPPED:05d}", "position": 1, "text": "{}"},
            ],
            "authors_speech": published("speech.tar.gz"),
            "editions": {
                "tiny": {
                    "photographs": [published("a.tar"), published("b.tgz")],
                    "labels": published("labels.mat"),
                    "captions": published("captions.tar.gz"),
                }
            },
        }
        manifest.write_text(yaml.safe_dump(content), encoding="utf-8")
        return manifest


def clip(hz: float, rate: int = 16000, seconds: float = 0.1, **form: str) -> bytes:
    """A tone as an audio file, WAV unless ``format`` says otherwise."""
    tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)
    file = io.BytesIO()
    soundfile.write(file, tone, rate, **{"format": "WAV", **form})
    return file.getvalue()


def archives_in(folder: Path) -> Archives:
    """The archives of one folder that things are fetched into as well."""
    return Archives((folder,), folder)


def prepared_rows(folder: Path) -> list[dict[str, str]]:
    """Write two pictures of five classes, two recordings each; the last two classes are test."""
    rows: list[dict[str, str]] = []
    for number in range(2 * 5):
        (folder / f"picture_{number}.jpg").write_bytes(jpeg(number))
        for take in range(2):
            name = f"speech_{number}_{take}.wav"
            (folder / name).write_bytes(clip(200 + 10 * len(rows)))
            rows.append(
                {
                    "image": f"picture_{number}.jpg",
                    "recording": name,
                    "class": f"species {number // 2}",
                    "split": "test" if number // 2 >= 3 else "train",
                }
            )
    return rows


def write_index(folder: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write ``index.csv`` with the columns of its rows."""
    listed = [*rows]
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in listed for name in row)))
        writer.writeheader()
        writer.writerows(listed)


def prepare_folder(archives: Path) -> Path:
    """Write a sound prepared folder under ``archives``."""
    folder = archives / "recorded" / "field_notes"
    folder.mkdir(parents=True)
    write_index(folder, prepared_rows(folder))
    return folder


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Content of every file of a flat folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def recording_bytes(corpus: Corpus, recording: int) -> bytes:
    """The audio file in one row of a corpus's recordings."""
    return bytes(open_recordings(corpus.folder)[recording])


def task_in(folder: Path, manifest: Path, edition: str = "tiny", **changes: Any) -> Task:
    """A corpus to be built in ``folder`` from the archives that lie there."""
    task = Task(manifest, edition, archives_in(folder), 0, 0, 0.4, "stop", folder / "corpus", 1)
    return replace(task, **changes)


def build_flowers(
    folder: Path,
    flowers: Flowers | None = None,
    **changes: Any,
) -> Corpus:
    return build_flowers_from((flowers or Flowers()).write(folder), folder, **changes)


def build_flowers_from(
    manifest: Path,
    folder: Path,
    *,
    authors_speech: bool = False,
    **changes: Any,
) -> Corpus:
    oxford102.build(task_in(folder, manifest, **changes), authors_speech=authors_speech)
    return Corpus(folder / "corpus")
