"""Tiny archives of birds in the layout of the published ones."""

import io
import random
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from PIL import Image

from .makers import jpeg, published, write_tar

CLASSES = (
    "001.Black_footed_Albatross",
    "002.Laysan_Albatross",
    "003.Sooty_Albatross",
    "004.Groove_billed_Ani",
)
TEST_CLASSES = [2, 4]
PER_CLASS = 3


def names() -> list[str]:
    """Pictures in the order of ``images.txt``."""
    return [
        f"{folder}/{folder[4:].title()}_{take:04d}_{796000 + 7 * number}.jpg"
        for number, folder in enumerate(CLASSES)
        for take in range(1, PER_CLASS + 1)
    ]


def jpeg_of(mode: str, colour: int | tuple[int, ...]) -> bytes:
    """A picture of one colour in another mode, ``L`` or ``CMYK``."""
    file = io.BytesIO()
    Image.new(mode, (24, 20), colour).save(file, "JPEG")
    return file.getvalue()


def captions_of(name: str, number: int = 10) -> bytes:
    """So many lines about one picture."""
    words = name.rpartition("/")[2].removesuffix(".jpg").replace("_", " ")
    return "".join(f"the {words} says {line}.\n" for line in range(number)).encode()


def place(name: str) -> str:
    """Where the captions of a picture lie."""
    return name.removesuffix(".jpg")


@dataclass
class Birds:
    """Twelve pictures of four classes with ten captions each; change what should be wrong."""

    pictures: dict[str, bytes] = field(
        default_factory=lambda: {name: jpeg(seed) for seed, name in enumerate(names())}
    )
    captions: dict[str, bytes] = field(
        default_factory=lambda: {place(name): captions_of(name) for name in names()}
    )
    images: list[str] = field(
        default_factory=lambda: [f"{n} {name}" for n, name in enumerate(names(), start=1)]
    )
    labels: list[str] = field(
        default_factory=lambda: [f"{n} {int(x[:3])}" for n, x in enumerate(names(), start=1)]
    )
    classes: list[str] = field(
        default_factory=lambda: [f"{n} {name}" for n, name in enumerate(CLASSES, start=1)]
    )
    boxes: list[str] = field(
        default_factory=lambda: [f"{n} {n}.0 2.0 20.0 15.0" for n in range(1, 13)]
    )
    counts: dict[str, int] = field(
        default_factory=lambda: {
            "classes": 4,
            "captions_per_image": 10,
            "images": 12,
            "train_images": 6,
            "test_images": 6,
            "utterances": 120,
            "test_utterances": 60,
        }
    )
    dropped: list[dict[str, object]] = field(default_factory=list)
    members: list[tuple[str, bytes]] = field(default_factory=list)
    """What the archive of photographs holds besides."""
    texts: list[tuple[str, bytes]] = field(default_factory=list)
    """What the archive of captions holds besides."""
    shuffled: int | None = None
    """Seed of another order of the archives."""

    def write(self, folder: Path) -> Path:
        """Write archives and manifest into ``folder``; return the manifest."""
        lists = {
            "images": self.images,
            "image_class_labels": self.labels,
            "classes": self.classes,
            "bounding_boxes": self.boxes,
        }
        members = [
            ("attributes.txt", b"1 has_bill_shape::curved_(up_or_down)\n"),
            *((f"CUB_200_2011/images/{name}", data) for name, data in self.pictures.items()),
            ("CUB_200_2011/README", b"birds"),
            ("CUB_200_2011/parts/parts.txt", b"1 back\n"),
            *(
                (f"CUB_200_2011/{name}.txt", "".join(f"{line}\n" for line in lines).encode())
                for name, lines in lists.items()
                if lines
            ),
            ("CUB_200_2011/attributes/classes.txt", b"no list of classes"),
            *self.members,
        ]
        texts = [
            ("cvpr2016_cub/allclasses.txt", b"black\n"),
            ("cvpr2016_cub/text_c10/._001.Black_footed_Albatross", b"\0\0"),
            *((f"cvpr2016_cub/text_c10/{at}.txt", data) for at, data in self.captions.items()),
            *self.texts,
        ]
        if self.shuffled is not None:
            for archive in (members, texts):
                random.Random(self.shuffled).shuffle(archive)
        write_tar(folder / "CUB_200_2011.tgz", members, "w:gz")
        write_tar(folder / "cvpr2016_cub.tar.gz", texts, "w:gz")
        return self._write_manifest(folder)

    def _write_manifest(self, folder: Path) -> Path:
        manifest = folder / "birds.yaml"
        content = {
            "sources": {"somebody": {"citation": "Somebody 2011", "licence": "none stated"}},
            "test_classes": TEST_CLASSES,
            "counts": self.counts,
            "dropped_captions": self.dropped,
            "editions": {
                "tiny": {
                    "photographs": [published("CUB_200_2011.tgz")],
                    "captions": published("cvpr2016_cub.tar.gz"),
                }
            },
        }
        manifest.write_text(yaml.safe_dump(content), encoding="utf-8")
        return manifest
