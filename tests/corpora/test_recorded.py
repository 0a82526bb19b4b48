import errno
import io
import json
import os
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
from PIL import ExifTags, Image

from s2igan.corpora import recorded
from s2igan.corpora.defects import Defects
from s2igan.corpora.index import Corpus
from s2igan.corpora.recorded_csv import read_index
from s2igan.corpora.recorded_files import find_file, read_file
from s2igan.engine.pictures import decode_picture
from s2igan.errors import UserError, refused
from tests.sounds import with_length

from .makers import (
    clip,
    folder_bytes,
    jpeg,
    prepare_folder,
    prepared_rows,
    recording_bytes,
    task_in,
    write_index,
)

Rows = list[dict[str, str]]


def build(archives: Path, **changes: Any) -> Corpus:
    recorded.build(task_in(archives, Path(), "field_notes", **changes))
    return Corpus(archives / "corpus")


def prepare(archives: Path, change: Callable[[Rows, Path], None] | None = None) -> Path:
    """Write a prepared folder, changed before its index is written."""
    folder = archives / "recorded" / "field_notes"
    folder.mkdir(parents=True)
    rows: Rows = prepared_rows(folder)
    if change is not None:
        change(rows, folder)
    write_index(folder, rows)
    return folder


def without(*columns: str) -> Callable[[Rows, Path], None]:
    def change(rows: Rows, _: Path) -> None:
        for row in rows:
            for column in columns:
                del row[column]

    return change


def test_an_index_is_read_in_little_more_memory_than_its_texts_take(tmp_path: Path) -> None:
    row = f"a.png,{'a small bird ' * 99}\n"
    (tmp_path / "index.csv").write_text("image,text\n" + row * 2000)
    tracemalloc.start()
    try:
        read_index(tmp_path / "index.csv", Defects("index", "mend it", on_broken="stop"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * (tmp_path / "index.csv").stat().st_size


def test_recordings_stand_in_for_text(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    corpus = build(tmp_path)
    assert corpus.descriptions["text"].isna().all()
    assert corpus.has_classes
    assert corpus.descriptions["text"].isna().all()
    assert corpus.descriptions["recording"].tolist() == list(range(20))
    assert corpus.descriptions["position"].tolist() == [0, 1] * 10
    assert recording_bytes(corpus, 3) == (folder / "speech_1_1.wav").read_bytes()
    assert corpus.picture_bytes(5) == jpeg(5)
    assert corpus.images["class_id"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (corpus.info["kind"], corpus.info["edition"]) == ("recorded", "field_notes")
    assert (corpus.info["has_classes"], corpus.info["classes"]) == (True, 5)
    assert corpus.info["images"] == {"train": 6, "test": 4}
    assert corpus.info["utterances"] == {"train": 12, "test": 8}
    assert "skipped" not in corpus.info


def test_the_common_folder_is_looked_through_too(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    folder.rename(tmp_path / "field_notes")
    assert len(build(tmp_path).images) == 10


def test_text_boxes_and_rows_in_any_order_are_kept(tmp_path: Path) -> None:
    def shuffle(rows: Rows, _: Path) -> None:
        for row in rows:
            row["box"] = "1 2 10.5 11" if row["image"] == "picture_0.jpg" else ""
            row["text"] = ""
        rows[0]["text"] = "ein roter Vogel"
        rows.append(rows.pop(1))  # the first picture's second recording comes last
        rows.append({**rows[0], "recording": "", "text": "nur geschrieben"})

    prepare(tmp_path, shuffle)
    corpus = build(tmp_path)
    assert corpus.images["box"][0].tolist() == [1, 2, 10.5, 11]
    assert corpus.images["box"][1] is None
    first = corpus.descriptions[corpus.descriptions["image"] == 0]
    assert first.index.tolist() == [0, 1, 2]  # captions of one picture are consecutive
    assert first["text"].fillna("-").tolist() == ["ein roter Vogel", "-", "nur geschrieben"]
    assert first["recording"].fillna(-1).tolist() == [0, 1, -1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_index_of_any_spreadsheet_is_read(
    tmp_path: Path, encoding: str, delimiter: str, end: str
) -> None:
    folder = prepare(tmp_path)
    names = [f"class {number};, é" for number in range(5)]
    lines = [["Image ", "RECORDING", "class", "split", ""]]
    for number in range(10):
        split = "test" if number > 5 else "train"
        row = [f".\\picture_{number}.jpg", f"speech_{number}_0.wav"]
        lines.append([*row, f'"{names[number // 2]}"', split, ""])
    lines.append([""] * 5)
    text = end.join(delimiter.join(line) for line in lines) + end
    (folder / "index.csv").write_bytes(text.encode(encoding))
    corpus = build(tmp_path)
    assert corpus.info["utterances"] == {"train": 6, "test": 4}
    assert corpus.images["name"][3] == "picture_3.jpg"
    assert corpus.images["class_name"][3] == "class 1;, é"


def test_names_that_are_neither_composed_nor_decomposed_need_one_look_at_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []
    look = Path.iterdir

    def counted(path: Path) -> Iterator[Path]:
        looks.append(path)
        return look(path)

    monkeypatch.setattr(Path, "iterdir", counted)
    names = [f"\u00ea\u0301 {number}.jpg" for number in range(20)]
    for name in names:
        (tmp_path / name).touch()
    assert all(find_file(tmp_path, unicodedata.normalize("NFC", name)) for name in names)
    assert not find_file(tmp_path, "\u00e9.jpg")
    assert len(looks) == 1
    (tmp_path / "late").mkdir()
    (tmp_path / "\u00ea\u0301 late.jpg").touch()
    assert find_file(tmp_path, unicodedata.normalize("NFC", "\u00ea\u0301 late.jpg"))


def test_a_file_that_the_disk_does_not_give_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match=r"bird\.jpg") as caught:
        read_file(tmp_path / "bird.jpg")
    assert refused(caught.value) == f"{str(tmp_path / 'bird.jpg')!r}; got Input/output error"


@pytest.mark.parametrize(
    "stored",
    [
        unicodedata.normalize("NFD", "né.jpg"),
        "\u212b ne\u0301 \u00fc.jpg",  # neither composed nor decomposed
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD", None])
def test_a_name_is_found_however_its_letters_are_composed(
    tmp_path: Path, stored: str, form: Literal["NFC", "NFD"] | None
) -> None:
    def decompose(rows: Rows, folder: Path) -> None:
        (folder / "picture_0.jpg").rename(folder / stored)
        for row in rows[:2]:
            row["image"] = unicodedata.normalize(form, stored) if form else stored

    prepare(tmp_path, decompose)
    assert build(tmp_path).picture_bytes(0) == jpeg(0)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("image", "line 21: né.jpg has class 'species 4', but 'species 0' on line 2"),
        ("recording", "line 21: né.wav describes a picture of the split test"),
    ],
)
def test_one_name_in_two_spellings_is_one_file(tmp_path: Path, column: str, told: str) -> None:
    def spell(rows: Rows, folder: Path) -> None:
        name = f"né{Path(rows[0][column]).suffix}"
        (folder / rows[0][column]).rename(folder / unicodedata.normalize("NFC", name))
        rows[0][column] = unicodedata.normalize("NFC", name)
        rows[19][column] = unicodedata.normalize("NFD", name)

    prepare(tmp_path, spell)
    with pytest.raises(UserError, match=told):
        build(tmp_path)


def test_one_class_in_two_spellings_is_one_class(tmp_path: Path) -> None:
    def spell(rows: Rows, _: Path) -> None:
        for row, form in zip(rows[:4], ("NFC", "NFC", "NFD", "NFD"), strict=True):
            row["class"] = unicodedata.normalize(form, "bécasse")  # type: ignore[arg-type]

    prepare(tmp_path, spell)
    assert build(tmp_path).info["classes"] == 5


def turned(number: int, orientation: int) -> bytes:
    """The picture that :func:`jpeg` gives, with a camera's note of how it was held."""
    file, note = io.BytesIO(), Image.Exif()
    note[ExifTags.Base.Orientation] = orientation
    Image.open(io.BytesIO(jpeg(number))).save(file, "JPEG", exif=note)
    return file.getvalue()


def test_pictures_are_turned_as_the_camera_noted(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    (folder / "picture_0.jpg").write_bytes(turned(0, orientation=6))
    corpus = build(tmp_path)
    stored = decode_picture(turned(0, orientation=6), "as stored")
    np.testing.assert_array_equal(corpus.picture(0), np.rot90(stored, -1))
    np.testing.assert_array_equal(corpus.picture(1), decode_picture(jpeg(1), "as stored"))


@pytest.mark.parametrize(
    ("orientation", "box", "told"),
    [
        (1, "20 4 8 8", None),
        (1, "4 20 8 8", "box '4 20 8 8' has its centre outside of picture_2.jpg, 28 × 24 pixels"),
        (6, "4 20 8 8", None),  # 24 wide and 28 high once it is turned
        (6, "20 4 8 8", "box '20 4 8 8' has its centre outside of picture_2.jpg, 24 × 28 pixels"),
        (1, "-9 3 10 10", "box '-9 3 10 10' has its centre outside of picture_2.jpg"),
        (1, "300 200 90 80", "line 6: box '300 200 90 80' has its centre outside of picture_2"),
    ],
)
@pytest.mark.parametrize("on_broken", ["stop", "skip"])
def test_a_box_lies_on_the_picture_as_it_is_shown(
    tmp_path: Path, orientation: int, box: str, told: str | None, on_broken: str
) -> None:
    def mark(rows: Rows, folder: Path) -> None:
        (folder / "picture_2.jpg").write_bytes(turned(2, orientation))
        for row in rows:
            row["box"] = box if row["image"] == "picture_2.jpg" else ""

    prepare(tmp_path, mark)
    if told is None:
        assert build(tmp_path, on_broken=on_broken).images["box"][2] is not None
    else:
        with pytest.raises(UserError, match=told):
            build(tmp_path, on_broken=on_broken)


def test_a_split_is_drawn_by_class_where_none_is_named(tmp_path: Path) -> None:
    prepare(tmp_path, without("split"))
    corpus = build(tmp_path)
    test = set(corpus.images.query("split == 'test'")["class_name"])
    assert corpus.info["images"] == {"train": 6, "test": 4}
    assert not test & set(corpus.images.query("split == 'train'")["class_name"])
    watched = build(tmp_path, val_classes=1)
    assert watched.info["images"] == {"train": 4, "val": 2, "test": 4}
    assert set(watched.images.query("split == 'test'")["class_name"]) == test
    drawn = [tuple(build(tmp_path, seed=seed).images["split"]) for seed in range(6)]
    assert len(set(drawn)) > 1


DRAWN = (
    "speech_0_0.wav describes a picture of the split {}, but before one of train, as they were "
    "drawn: name the splits in index.csv;"
)


def test_splits_that_part_a_recording_are_to_be_named(tmp_path: Path) -> None:
    def share(rows: Rows, folder: Path) -> None:
        without("class", "split")(rows, folder)
        rows[2]["recording"] = rows[0]["recording"]

    prepare(tmp_path, share)
    splits = build(tmp_path, seed=0).images["split"]
    assert splits[0] == splits[1]
    with pytest.raises(UserError) as error:
        build(tmp_path, seed=3)
    assert f"line 4: {DRAWN.format('test')}" in str(error.value)


def test_so_are_validation_classes_drawn_beside_named_splits(tmp_path: Path) -> None:
    def share(rows: Rows, _: Path) -> None:
        rows[8]["recording"] = rows[0]["recording"]

    prepare(tmp_path, share)
    assert build(tmp_path).info["images"] == {"train": 6, "test": 4}
    with pytest.raises(UserError) as error:
        build(tmp_path, val_classes=1)
    assert f"line 10: {DRAWN.format('val')}" in str(error.value)


def test_without_classes_every_picture_is_its_own(tmp_path: Path) -> None:
    prepare(tmp_path, without("class", "split"))
    corpus = build(tmp_path, val_classes=2)
    assert not corpus.has_classes
    assert corpus.info["has_classes"] is False
    assert "classes" not in corpus.info
    assert corpus.images["class_id"].tolist() == list(range(10))
    assert set(corpus.images["class_name"]) == {""}
    assert corpus.info["images"] == {"train": 4, "val": 2, "test": 4}


def test_without_classes_the_split_may_be_named(tmp_path: Path) -> None:
    def mixed(rows: Rows, folder: Path) -> None:
        without("class")(rows, folder)
        for row in rows:
            row["split"] = "test" if row["image"] in ("picture_0.jpg", "picture_3.jpg") else "train"

    prepare(tmp_path, mixed)
    splits = build(tmp_path).images["split"].tolist()
    assert [row for row, split in enumerate(splits) if split == "test"] == [0, 3]


def test_the_draw_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    prepare(tmp_path, without("class", "split"))
    first = build(tmp_path).images.set_index("name")["split"].to_dict()
    other = tmp_path / "other"
    other.mkdir()

    def turn(rows: Rows, folder: Path) -> None:
        without("class", "split")(rows, folder)
        rows.reverse()

    prepare(other, turn)
    assert build(other).images["name"].tolist()[0] == "picture_9.jpg"
    assert build(other).images.set_index("name")["split"].to_dict() == first


def test_the_index_may_name_validation_classes_or_have_them_drawn(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert build(tmp_path, val_classes=1).info["images"] == {"train": 4, "val": 2, "test": 4}

    named = tmp_path / "named"
    named.mkdir()

    def name_them(rows: Rows, _: Path) -> None:
        for row in rows[:4]:
            row["split"] = "val"

    prepare(named, name_them)
    assert build(named).images["split"].tolist()[:3] == ["val", "val", "train"]
    with pytest.raises(UserError, match=r"corpus\.val_classes; got 1; expected 0"):
        build(named, val_classes=1)


def test_two_builds_give_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    prepare(tmp_path, without("split"))
    build(tmp_path, val_classes=1)
    first = folder_bytes(tmp_path / "corpus")
    build(tmp_path, val_classes=1, workers=2)
    assert folder_bytes(tmp_path / "corpus") == first


def missing_picture(_: Rows, folder: Path) -> None:
    (folder / "picture_2.jpg").unlink()


def cut_picture(_: Rows, folder: Path) -> None:
    (folder / "picture_2.jpg").write_bytes(jpeg(2)[:-50])


def missing_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").unlink()


def empty_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").write_bytes(b"")


def noise_for_a_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").write_bytes(b"not audio at all")


def silent_recording(_: Rows, folder: Path) -> None:
    soundfile.write(folder / "speech_2_1.wav", np.zeros((900, 2)), 8000)


def offset_for_a_recording(_: Rows, folder: Path) -> None:
    soundfile.write(folder / "speech_2_1.wav", np.full(900, 0.3), 8000)


def short_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").write_bytes(clip(300, seconds=0.02))


def long_recording(_: Rows, folder: Path) -> None:
    (folder / "speech_2_1.wav").write_bytes(clip(300, rate=4000, seconds=601, format="FLAC"))


def slow_recording(_: Rows, folder: Path) -> None:
    soundfile.write(folder / "speech_2_1.wav", np.sin(np.arange(900)), 50)


def no_sample(_: Rows, folder: Path) -> None:
    soundfile.write(folder / "speech_2_1.wav", np.zeros(0), 8000)


def float_picture(_: Rows, folder: Path) -> None:
    Image.new("F", (20, 20), 0.5).save(folder / "picture_2.jpg", "TIFF")


def cell(column: str, value: str, row: int = 4) -> Callable[[Rows, Path], None]:
    def change(rows: Rows, _: Path) -> None:
        rows[row][column] = value

    return change


def one_description_twice(rows: Rows, _: Path) -> None:
    rows[5] = dict(rows[4])


def one_text_twice(rows: Rows, _: Path) -> None:
    rows[4] |= {"text": "a bird", "recording": ""}
    rows[5] = dict(rows[4])


def one_recording_of_two_texts(texts: tuple[str, str]) -> Callable[[Rows, Path], None]:
    def change(rows: Rows, _: Path) -> None:
        for row, text in zip(rows[4:6], texts, strict=True):
            row |= {"recording": "speech_2_0.wav", "text": text}

    return change


def heard_in_both(rows: Rows, _: Path) -> None:
    rows[19]["recording"] = rows[0]["recording"]


def nothing_for_one_picture(column: str) -> Callable[[Rows, Path], None]:
    def change(rows: Rows, _: Path) -> None:
        for row in rows[4:6]:
            row[column] = ""

    return change


def no_row_that_can_be_read(rows: Rows, _: Path) -> None:
    del rows[1:]
    rows[0]["image"] = "../picture_0.jpg"


BROKEN = [
    (cut_picture, "picture_2.jpg: ", "that do not decode"),
    (float_picture, "picture_2.jpg: ", "pixels of mode F, whose values have no range"),
    (empty_recording, "speech_2_1.wav: ", "an empty file"),
    (noise_for_a_recording, "speech_2_1.wav: ", "16 bytes that do not decode"),
    (silent_recording, "speech_2_1.wav: ", "nothing but silence"),
    (offset_for_a_recording, "speech_2_1.wav: ", "nothing but silence"),
    (short_recording, "speech_2_1.wav: ", "20 ms of sound, less than 50 ms"),
    (long_recording, "speech_2_1.wav: ", "more than 10 minutes of sound (line 7)"),
    (slow_recording, "speech_2_1.wav: ", "50 samples a second, not 4000 to 384000"),
    (no_sample, "speech_2_1.wav: ", "no sample"),
]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (missing_picture, "line 6: no such picture as picture_2.jpg"),
        (missing_recording, "line 7: no such recording as speech_2_1.wav"),
        (cell("image", "../picture.jpg"), "line 6: image '../picture.jpg' is no path inside"),
        (cell("image", ""), "line 6: no image"),
        (cell("recording", "/etc/passwd"), "line 6: recording '/etc/passwd' is no path inside"),
        (cell("recording", "C:\\a.wav"), "line 6: recording 'C:\\\\a.wav' is no path inside"),
        (cell("recording", "..\\a.wav"), "line 6: recording '..\\\\a.wav' is no path inside"),
        (cell("recording", ""), "line 6: no recording"),
        (cell("recording", "a bird " * 50), "line 6: no such recording as a bird a bird"),
        (cell("image", "bird" * 90), "line 6: no such picture as birdbird"),
        (cell("split", "test", 6), "line 9: picture_3.jpg has split 'train', but 'test' on line 8"),
        (cell("split", "validation"), "line 6: split 'validation' is none of train, val, test"),
        (
            cell("class", "wren"),
            "line 7: picture_2.jpg has class 'species 1', but 'wren' on line 6",
        ),
        (cell("box", "1 2 3 0"), "line 6: box '1 2 3 0' has no area"),
        (cell("box", "1 2 nan 4"), "line 6: box '1 2 nan 4' has no area"),
        (cell("box", "1 2"), "line 6: box '1 2' is not `x y width height`"),
        (cell("box", "1 2 3 4"), "line 7: picture_2.jpg has box none, but '1 2 3 4' on line 6"),
        (cell("text", " ... "), "line 6: text '...' has no words"),
        *(
            (spoil, "line 7: the same description of picture_2.jpg a second time")
            for spoil in (
                one_description_twice,
                one_text_twice,
                one_recording_of_two_texts(("", "a bird")),
                one_recording_of_two_texts(("a bird", "")),
                one_recording_of_two_texts(("a bird", "a blue bird")),
            )
        ),
        (
            heard_in_both,
            "line 21: speech_0_0.wav describes a picture of the split test, but before one of "
            "train; mend",
        ),
        *((spoil, f"{name}") for spoil, name, _ in BROKEN),
        *((spoil, f"{problem}") for spoil, _, problem in BROKEN),
        # One mistake is one defect.
        *(
            (nothing_for_one_picture(column), f"1 defect; got line 6: no {column}, though other")
            for column in ("class", "split")
        ),
        (
            nothing_for_one_picture("recording"),
            "2 defects; got line 6: no recording; line 7: no recording;",
        ),
        (
            cell("class", "specie 1"),
            "1 defect; got line 7: picture_2.jpg has class 'species 1', but 'specie 1' on line 6;",
        ),
        (
            no_row_that_can_be_read,
            "1 defect; got line 2: image '../picture_0.jpg' is no path inside the folder;",
        ),
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


def test_a_row_that_cannot_be_read_leaves_no_class_short(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    index = (folder / "index.csv").read_text(encoding="utf-8").splitlines()
    for number in (5, 6):  # the lines of the second class's first picture
        index[number] += ",and a remark"
    (folder / "index.csv").write_text("\n".join(index), encoding="utf-8")
    with pytest.raises(UserError) as error:
        build(tmp_path)
    cells = "5 cells instead of 4"
    assert f"2 defects; got line 6: {cells}; line 7: {cells};" in str(error.value)


def test_a_class_of_one_picture_is_told_beside_what_is_wrong_with_others(tmp_path: Path) -> None:
    def spoil(rows: Rows, folder: Path) -> None:
        nothing_for_one_picture("recording")(rows, folder)
        del rows[8:10]

    prepare(tmp_path, spoil)
    with pytest.raises(UserError, match=r"line 10: class 'species 2' has 1 picture; at least 2"):
        build(tmp_path)


def test_a_class_of_two_splits_is_told_by_both_lines(tmp_path: Path) -> None:
    def move(rows: Rows, _: Path) -> None:
        for row in rows[6:8]:
            row["split"] = "test"

    prepare(tmp_path, move)
    with pytest.raises(
        UserError, match="line 8: class 'species 1' in the split test, but in train on line 6"
    ):
        build(tmp_path)


@pytest.mark.parametrize("column", ["class", "split"])
def test_classes_and_splits_are_for_all_or_for_none(tmp_path: Path, column: str) -> None:
    def blank(rows: Rows, _: Path) -> None:
        for row in rows[4:8]:
            row[column] = ""

    prepare(tmp_path, blank)
    told = f"line 6 and 1 more pictures: no {column}, though other pictures have one"
    with pytest.raises(UserError, match=told):
        build(tmp_path)


def test_defects_of_index_and_files_are_told_at_once(tmp_path: Path) -> None:
    def spoil(rows: Rows, folder: Path) -> None:
        missing_recording(rows, folder)
        cut_picture(rows, folder)
        noise_for_a_recording(rows, folder)
        (folder / "speech_3_0.wav").unlink()
        rows[12]["box"] = "0 0 -1 5"

    prepare(tmp_path, spoil)
    with pytest.raises(UserError) as error:
        build(tmp_path)
    for told in (
        ": 4 defects; ",
        "line 14: box '0 0 -1 5'",
        "line 8: no such recording as speech_3_0.wav",
        "picture_2.jpg: ",
        "(line 6)",
        "speech_2_1.wav: 16 bytes",
        "(line 7)",
    ):
        assert told in str(error.value)


def a_class_of_four(rows: Rows, _: Path) -> None:
    for row in rows[4:12]:
        row["class"] = "species 1"


@pytest.mark.parametrize(("spoil", "name", "problem"), BROKEN)
def test_what_is_broken_may_be_left_out_and_is_listed(
    tmp_path: Path,
    spoil: Callable[[Rows, Path], None],
    name: str,
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def spoil_one_of_four(rows: Rows, folder: Path) -> None:
        a_class_of_four(rows, folder)
        spoil(rows, folder)

    prepare(tmp_path, spoil_one_of_four)
    corpus = build(tmp_path, on_broken="skip")
    broken = name.removesuffix(": ")
    assert list(corpus.info["skipped"]) == [broken]
    assert problem in corpus.info["skipped"][broken]
    assert f"1 files skipped, listed in corpus.json:\n  {name}" in capsys.readouterr().err
    utterances = {"picture_2.jpg": 10, "speech_2_1.wav": 11}[broken]
    assert corpus.info["utterances"] == {"train": utterances, "test": 8}
    left = corpus.images["name"].tolist()
    for utterance, row in corpus.descriptions.iterrows():
        number = int(left[row["image"]].removeprefix("picture_").removesuffix(".jpg"))
        clip_file = tmp_path / "recorded/field_notes" / f"speech_{number}_{row['position']}.wav"
        assert recording_bytes(corpus, row["recording"]) == clip_file.read_bytes(), utterance
    assert corpus.picture_bytes(len(left) - 1) == jpeg(9)


def test_a_picture_whose_recordings_are_all_broken_goes_too(tmp_path: Path) -> None:
    def silence(rows: Rows, folder: Path) -> None:
        a_class_of_four(rows, folder)
        for take in range(2):
            (folder / f"speech_4_{take}.wav").write_bytes(b"")

    prepare(tmp_path, silence)
    corpus = build(tmp_path, on_broken="skip")
    assert list(corpus.info["skipped"]) == ["picture_4.jpg", "speech_4_0.wav", "speech_4_1.wav"]
    assert "picture_4.jpg" not in set(corpus.images["name"])
    assert corpus.images["class_id"].nunique() == 4  # its class has other pictures


def test_of_many_files_that_are_left_out_the_first_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def add_empty(rows: Rows, folder: Path) -> None:
        for number in range(100, 130):
            (folder / f"speech_{number}.wav").write_bytes(b"")
            rows.append({**rows[0], "recording": f"speech_{number}.wav"})

    prepare(tmp_path, add_empty)
    assert len(build(tmp_path, on_broken="skip").info["skipped"]) == 30
    said = capsys.readouterr().err
    assert "30 files skipped, listed in corpus.json:\n  speech_100.wav: " in said
    assert "\n  speech_102.wav: " in said
    assert said.endswith("\nand 27 more\n")
    assert "speech_103" not in said


def test_what_is_left_of_a_class_is_at_least_two_pictures(tmp_path: Path) -> None:
    prepare(tmp_path, cut_picture)
    with pytest.raises(UserError, match="class species 1: 1 picture left; at least 2") as error:
        build(tmp_path, on_broken="skip")
    assert "; left out: picture_2.jpg: " in str(error.value)  # this is why
    assert not (tmp_path / "corpus").exists()


def test_a_file_that_is_not_there_stops_even_where_broken_ones_are_skipped(tmp_path: Path) -> None:
    prepare(tmp_path, missing_recording)
    with pytest.raises(UserError, match=r"line 7: no such recording as speech_2_1\.wav"):
        build(tmp_path, on_broken="skip")


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_classes_must_be_left_to_train_and_to_test_on(tmp_path: Path, split: str) -> None:
    def concentrate(rows: Rows, folder: Path) -> None:
        for row in rows:
            other = "test" if split == "train" else "train"
            row["split"] = split if row["class"] == "species 0" else other
        cut_picture(rows, folder)

    prepare(tmp_path, concentrate)
    with pytest.raises(UserError, match=f"2 defects.*1 classes of the split {split}; at least 2"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ("image,caption", "got image, caption"),
        ("image,class", "got image, class"),
        ("recording,class", "got recording, class"),
        ("image,recording,image", "got image, recording, image"),
        ("image\trecording", "got image\trecording"),
        ("", "got none"),
    ],
)
def test_an_index_with_other_columns_is_told(tmp_path: Path, header: str, got: str) -> None:
    folder = prepare_folder(tmp_path)
    (folder / "index.csv").write_text(f"{header}\na.jpg,b.wav,c\n", encoding="utf-8")
    told = f"{got}; expected image and recording, and any of class.* commas or semicolons between"
    with pytest.raises(UserError, match=told):
        build(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("image,recording\na.jpg,b.wav\n".encode("utf-16"), "line 1; got the byte 0xff"),
        ("image,recording\na.jpg,é.wav\n".encode("latin-1"), "line 2; got the byte 0xe9"),
        (b'image,recording\na.jpg,"b.wav\n', "line 2; got unexpected end of data"),
        (b"image,recording\na.jpg\n", "line 2: 1 cells instead of 2"),
        (b"image,recording\na.jpg,b.wav,c\n", "line 2: 3 cells instead of 2"),
        (b"image,text\na.jpg,a red\0 bird\n", "line 2: text 'a red.* with a NUL character"),
    ],
)
def test_an_index_that_is_no_utf8_csv_is_told_by_its_line(
    tmp_path: Path, content: bytes, told: str
) -> None:
    folder = prepare_folder(tmp_path)
    (folder / "index.csv").write_bytes(content)
    with pytest.raises(UserError, match=told):
        build(tmp_path)


def test_an_index_without_rows_is_told(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    (folder / "index.csv").write_text("image,recording\n", encoding="utf-8")
    with pytest.raises(UserError, match="got no row names a picture"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("form", "channels", "rate"),
    [("WAV", 2, 44100), ("FLAC", 1, 48000), ("OGG", 2, 22050), ("MP3", 1, 32000)],
)
def test_audio_of_every_format_is_taken(
    tmp_path: Path, form: str, channels: int, rate: int
) -> None:
    def rewrite(rows: Rows, folder: Path) -> None:
        for row in rows:
            tone, _ = soundfile.read(io.BytesIO(clip(300, rate)))
            (folder / row["recording"]).unlink()
            row["recording"] = row["recording"].replace(".wav", f".{form.lower()}")
            stereo = np.repeat(tone[:, None], channels, axis=1)
            soundfile.write(folder / row["recording"], stereo, rate, format=form)

    folder = prepare(tmp_path, rewrite)
    corpus = build(tmp_path)
    name = f"speech_1_0.{form.lower()}"
    assert recording_bytes(corpus, 2) == (folder / name).read_bytes()


def test_a_flac_that_a_pipe_got_is_taken(tmp_path: Path) -> None:
    def rewrite(rows: Rows, folder: Path) -> None:
        rows[2]["recording"] = "piped.flac"
        piped = with_length(clip(300, format="FLAC"), 0)
        (folder / "piped.flac").write_bytes(piped)

    folder = prepare(tmp_path, rewrite)
    assert recording_bytes(build(tmp_path), 2) == (folder / "piped.flac").read_bytes()


def test_the_name_of_a_recording_does_not_matter(tmp_path: Path) -> None:
    def rename(rows: Rows, folder: Path) -> None:
        for row, name in zip(rows, ("bird.raw", "bird.mp3", "bird"), strict=False):
            (folder / row["recording"]).rename(folder / name)
            row["recording"] = name

    folder = prepare(tmp_path, rename)
    corpus = build(tmp_path)
    for row, name in enumerate(("bird.raw", "bird.mp3", "bird")):
        assert recording_bytes(corpus, row) == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "data"),
    [("bird.mp3", clip(300, 44100, 2.0, format="MP3")[1:]), ("bird.gsm", b"a small bird" * 200)],
)
def test_a_name_makes_no_sound_of_bytes_that_are_none(
    tmp_path: Path, name: str, data: bytes
) -> None:
    def spoil(rows: Rows, folder: Path) -> None:
        rows[2]["recording"] = name
        (folder / name).write_bytes(data)

    prepare(tmp_path, spoil)
    told = f"{name}: {len(data)} bytes that do not decode"
    with pytest.raises(UserError) as error:
        build(tmp_path)
    assert told in str(error.value)
    corpus = build(tmp_path, on_broken="skip")
    assert f"{name}: {corpus.info['skipped'][name]}".startswith(told)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'field_notes'; got no index\.csv") as error:
        build(tmp_path)
    assert "recorded/field_notes/index.csv" in str(error.value)
    assert "S2IGAN_ARCHIVES" in str(error.value)


def test_the_summary_names_the_index_by_its_checksum(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    before = build(tmp_path).info["index_sha256"]
    index = tmp_path / "recorded" / "field_notes" / "index.csv"
    index.write_bytes(index.read_bytes() + b"\r\n")
    assert build(tmp_path).info["index_sha256"] != before
    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text())["kind"] == "recorded"
