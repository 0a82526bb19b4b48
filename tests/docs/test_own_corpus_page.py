"""The Python of docs/your-own-corpus.md makes indexes of published corpora."""

import json
import re
from pathlib import Path

import pytest

from s2igan.corpora.defects import Defects
from s2igan.corpora.recorded_csv import ListedPicture, read_index

PAGE = Path(__file__).parents[2] / "docs" / "your-own-corpus.md"


def indexed(number: int, name: str) -> list[ListedPicture]:
    """Run the page's program of that number and read the index that it writes."""
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(programs[number], {})
    defects = Defects("corpus", "mend it")
    pictures = read_index(Path("archives/recorded") / name / "index.csv", defects)
    defects.raise_any()
    return pictures


def test_flickr8k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "archives" / "recorded" / "flickr8k"
    for part in ("flickr_audio", "Flickr8k_text"):
        (folder / part).mkdir(parents=True)
    spoken = [
        f"{name}_{take}.wav {name}.jpg #{take}\n"
        for name in ("a", "b", "c", "d")
        for take in (0, 1)
    ]
    (folder / "flickr_audio" / "wav2capt.txt").write_text("".join(spoken))
    for split, names in {"train": "a.jpg\nb.jpg\n", "dev": "c.jpg\n", "test": ""}.items():
        (folder / "Flickr8k_text" / f"Flickr_8k.{split}Images.txt").write_text(names)
    pictures = indexed(0, "flickr8k")
    # A picture of no list, of which there are some, is left out.
    assert {picture.image: picture.split for picture in pictures} == {
        "Flicker8k_Dataset/a.jpg": "train",
        "Flicker8k_Dataset/b.jpg": "train",
        "Flicker8k_Dataset/c.jpg": "val",
    }
    assert [said.recording for said in pictures[1].descriptions] == [
        "flickr_audio/wavs/b_0.wav",
        "flickr_audio/wavs/b_1.wav",
    ]


def test_spokencoco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "archives" / "recorded" / "spokencoco"
    (folder / "SpokenCOCO").mkdir(parents=True)
    for split, count in {"train": 102, "val": 1}.items():
        listed = [
            {
                "image": f"{split}2014/COCO_{split}2014_{number:012d}.jpg",
                "captions": [
                    {"text": "A BIRD", "speaker": "s", "wav": f"wavs/{split}/0/{number}-{take}.wav"}
                    for take in range(5)
                ],
            }
            for number in range(count)
        ]
        (folder / "SpokenCOCO" / f"SpokenCOCO_{split}.json").write_text(
            json.dumps({"data": listed})
        )
    pictures = indexed(1, "spokencoco")
    splits = [picture.split for picture in pictures]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (100, 2, 1)
    last = pictures[-1]
    assert last.image == "val2014/COCO_val2014_000000000000.jpg"
    assert [said.recording for said in last.descriptions] == [
        f"SpokenCOCO/wavs/val/0/0-{take}.wav" for take in range(5)
    ]
