from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from s2igan.corpora import recorded
from s2igan.corpora.index import Corpus
from s2igan.errors import UserError

from .makers import folder_bytes, jpeg, prepare_folder, prepared_rows

Rows = list[dict[str, Any]]


def build(archives: Path, *, val_classes: int = 0, workers: int = 1) -> Corpus:
    recorded.build(
        "field_notes",
        archives=archives,
        seed=0,
        val_classes=val_classes,
        out=archives / "corpus",
        workers=workers,
    )
    return Corpus(archives / "corpus")


def prepare(archives: Path, change: Callable[[Rows, Path], None] | None = None) -> Path:
    """Write a prepared folder, changed before its index is written."""
    folder = archives / "recorded" / "field_notes"
    folder.mkdir(parents=True)
    rows: Rows = prepared_rows(folder)
    if change is not None:
        change(rows, folder)
    recorded.write_index(folder, rows)
    return folder


def test_recordings_stand_in_for_text(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    corpus = build(tmp_path)
    assert not corpus.has_text
    assert corpus.descriptions["text"].isna().all()
    assert corpus.descriptions["recording"].tolist() == list(range(16))
    assert corpus.recording_bytes(3) == b"sound 1 1"
    assert corpus.picture_bytes(5) == jpeg(5)
    assert (corpus.info["kind"], corpus.info["edition"]) == ("recorded", "field_notes")
    assert corpus.info["images"] == {"train": 6, "test": 2}
    assert corpus.info["utterances"] == {"train": 12, "test": 4}


def test_the_common_folder_is_looked_through_too(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    folder.rename(tmp_path / "field_notes")
    assert len(build(tmp_path).images) == 8


def test_text_recordings_and_boxes_are_kept(tmp_path: Path) -> None:
    def write_some(rows: Rows, _: Path) -> None:
        rows[0]["box"] = [1, 2, 10, 11]
        rows[0]["descriptions"] = [
            {"text": "a red bird", "recording": "speech_0_0.wav"},
            {"text": "a bird", "recording": None},
            {"text": None, "recording": "speech_0_0.wav"},
        ]

    prepare(tmp_path, write_some)
    corpus = build(tmp_path)
    assert corpus.images["box"][0].tolist() == [1, 2, 10, 11]
    assert corpus.images["box"][1] is None
    first = corpus.descriptions[corpus.descriptions["image"] == 0]
    assert first["text"].tolist()[:2] == ["a red bird", "a bird"]
    assert first["position"].tolist() == [0, 1, 2]
    # One file, one recording, however often it is named.
    assert first["recording"].fillna(-1).tolist() == [0, -1, 0]
    assert corpus.recording_bytes(1) == b"sound 1 0"


def test_an_index_written_by_pandas_without_optional_columns_is_read(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    rows = [
        {
            "image": f"picture_{number}.jpg",
            "class": f"species {number // 2}",
            "split": "test" if number > 5 else "train",
            "descriptions": [{"recording": f"speech_{number}_0.wav"}],
        }
        for number in range(8)
    ]
    pd.DataFrame(rows).to_parquet(folder / "index.parquet")
    corpus = build(tmp_path)
    assert corpus.info["utterances"] == {"train": 6, "test": 2}
    assert corpus.images["class_id"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_index_may_name_validation_classes_or_have_them_drawn(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert build(tmp_path, val_classes=1).info["images"] == {"train": 4, "val": 2, "test": 2}

    named = tmp_path / "named"
    named.mkdir()

    def name_them(rows: Rows, _: Path) -> None:
        for row in rows[:2]:
            row["split"] = "val"

    prepare(named, name_them)
    assert build(named).images["split"].tolist()[:3] == ["val", "val", "train"]
    with pytest.raises(UserError, match=r"corpus\.val_classes; got 1; expected 0"):
        build(named, val_classes=1)


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    build(tmp_path, val_classes=1)
    first = folder_bytes(tmp_path / "corpus")
    build(tmp_path, val_classes=1)
    assert folder_bytes(tmp_path / "corpus") == first


def missing_picture(_: Rows, folder: Path) -> None:
    (folder / "picture_2.jpg").unlink()


def cut_picture(_: Rows, folder: Path) -> None:
    (folder / "picture_2.jpg").write_bytes(jpeg(2)[:-50])


def missing_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").unlink()


def empty_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").write_bytes(b"")


def lone_picture(rows: Rows, _: Path) -> None:
    del rows[2]


def outside(rows: Rows, _: Path) -> None:
    rows[2]["image"] = "../picture.jpg"


def absolute(rows: Rows, _: Path) -> None:
    rows[2]["descriptions"][0]["recording"] = "/etc/passwd"


def two_splits(rows: Rows, _: Path) -> None:
    rows[2]["split"] = "test"


def other_split(rows: Rows, _: Path) -> None:
    rows[2]["split"] = "validation"


def no_description(rows: Rows, _: Path) -> None:
    rows[2]["descriptions"] = []


def nothing_said(rows: Rows, _: Path) -> None:
    rows[2]["descriptions"] = [{"text": None, "recording": None}]


def blank_text(rows: Rows, _: Path) -> None:
    rows[2]["descriptions"] = [{"text": " ", "recording": None}]


def flat_box(rows: Rows, _: Path) -> None:
    rows[2]["box"] = [1.0, 2.0, 3.0, 0.0]


def half_box(rows: Rows, _: Path) -> None:
    rows[2]["box"] = [1.0, 2.0]


def twice(rows: Rows, _: Path) -> None:
    rows[3]["image"] = "picture_2.jpg"


def no_test(rows: Rows, _: Path) -> None:
    for row in rows:
        row["split"] = "train"


def no_class(rows: Rows, _: Path) -> None:
    rows[2]["class"] = None


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (missing_picture, "picture_2.jpg: no such picture"),
        (cut_picture, "picture_2.jpg: "),
        (missing_recording, "speech_2_1.wav: no such recording"),
        (empty_recording, "speech_2_1.wav: empty recording"),
        (lone_picture, "class 'species 1': 1 picture"),
        (outside, "row 2 ('../picture.jpg') image: '../picture.jpg' is no path inside"),
        (absolute, "row 2 ('picture_2.jpg') descriptions.0.recording: '/etc/passwd' is no path"),
        (two_splits, "class 'species 1': in the splits test and train"),
        (other_split, "row 2 ('picture_2.jpg') split: "),
        (no_description, "row 2 ('picture_2.jpg') descriptions: "),
        (nothing_said, "row 2 ('picture_2.jpg') descriptions.0: neither text nor recording"),
        (blank_text, "row 2 ('picture_2.jpg') descriptions.0: text ' ' has no words"),
        (flat_box, "row 2 ('picture_2.jpg'): box [1.0, 2.0, 3.0, 0.0] has no area"),
        (half_box, "row 2 ('picture_2.jpg') box: "),
        (twice, "picture_2.jpg: in 2 rows"),
        (no_test, "split test: no pictures"),
        (no_class, "row 2 ('picture_2.jpg') class: "),
    ],
)
def test_a_defect_is_named_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[Rows, Path], None], told: str
) -> None:
    prepare(tmp_path, spoil)
    with pytest.raises(UserError) as error:
        build(tmp_path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["recorded"]


def test_defects_of_index_and_files_are_told_at_once(tmp_path: Path) -> None:
    def spoil(rows: Rows, folder: Path) -> None:
        missing_recording(rows, folder)
        cut_picture(rows, folder)
        rows[6]["box"] = [0.0, 0.0, -1.0, 5.0]

    prepare(tmp_path, spoil)
    with pytest.raises(UserError) as error:
        build(tmp_path)
    for told in ("picture_2.jpg", "speech_2_1.wav", "row 6 ('picture_6.jpg'): box"):
        assert told in str(error.value)


def test_an_index_with_other_columns_is_told(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    pd.DataFrame({"image": ["a.jpg"], "caption": ["a bird"]}).to_parquet(folder / "index.parquet")
    with pytest.raises(UserError, match="got image, caption; expected image, class, split, box"):
        build(tmp_path)


def test_an_index_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    (folder / "index.parquet").write_bytes(b"image,class\n")
    with pytest.raises(UserError, match="expected a Parquet table"):
        build(tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'field_notes'; got no index\.parquet"):
        build(tmp_path)
    with pytest.raises(UserError, match="S2IGAN_ARCHIVES"):
        recorded.build("field_notes", archives=None, seed=0, val_classes=0, out=tmp_path, workers=1)
