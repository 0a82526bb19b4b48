import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.corpora.index import Corpus, write_corpus
from s2igan.errors import UserError

from .makers import folder_bytes, recording_bytes

INFO = {"kind": "recorded", "edition": "tiny"}


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (level, 0, 0)).save(file, "PNG")
    return file.getvalue()


def images() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["a.png", "b.png", "c.png"],
            "class_id": [0, 0, 1],
            "class_name": ["wren", "wren", "lark"],
            "split": ["train", "train", "test"],
            "box": [None, [1.0, 2.0, 3.0, 4.0], None],
        }
    )


def descriptions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": [0, 1, 2, 2],
            "position": [0, 0, 0, 0],
            "text": ["one", None, "three", "tree"],
            "recording": [None, 1, 0, None],
            "role": ["caption", "caption", "caption", "swap"],
            "swap_of": [None, None, None, 2],
        }
    )


def write(folder: Path) -> Corpus:
    pictures = (png(level) for level in (10, 20, 30))
    write_corpus(folder, images(), pictures, descriptions(), [b"RIFF", b"OggS!"], info=INFO)
    return Corpus(folder)


def test_pictures_and_recordings_come_back_as_they_went_in(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")

    assert corpus.picture_bytes(1) == png(20)
    assert corpus.picture(2).tolist() == np.full((3, 4, 3), [30, 0, 0]).tolist()
    assert recording_bytes(corpus, 0) == b"RIFF"
    assert recording_bytes(corpus, 1) == b"OggS!"
    assert corpus.images["box"][0] is None
    assert corpus.images["box"][1].tolist() == [1, 2, 3, 4]


def test_descriptions_carry_split_and_class_of_their_picture(tmp_path: Path) -> None:
    table = write(tmp_path / "corpus").descriptions

    assert table["split"].tolist() == ["train", "train", "test", "test"]
    assert table["class_id"].tolist() == [0, 0, 1, 1]


def test_an_error_names_a_description_by_its_picture(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")
    assert corpus.description_name(3) == "utterance 3 (picture 'c.png', description 0)"


def test_what_is_unknown_is_null(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")

    table = corpus.descriptions
    assert table["text"].isna().tolist() == [False, True, False, False]
    assert table["recording"].isna().tolist() == [True, False, False, True]
    assert int(table["recording"][1]) == 1
    assert int(table["swap_of"][3]) == 2
    assert table["mentions"].isna().all()
    assert table["swap_value"].isna().all()
    assert corpus.descriptions["text"].notna().any()
    assert not corpus.has_attributes


def test_a_corpus_without_any_text_says_so(tmp_path: Path) -> None:
    table = descriptions().assign(text=None)
    write_corpus(tmp_path / "c", images(), [b"", b"", b""], table, [b"a", b"b"], info=INFO)

    assert Corpus(tmp_path / "c").descriptions["text"].isna().all()


def test_a_corpus_without_classes_says_so_and_counts_none(tmp_path: Path) -> None:
    assert write(tmp_path / "with").has_classes
    table = images().assign(class_id=[0, 1, 2], class_name="")
    write_corpus(
        tmp_path / "c",
        table,
        [b""] * 3,
        descriptions(),
        [b"a", b"b"],
        info={**INFO, "has_classes": False},
    )

    corpus = Corpus(tmp_path / "c")
    assert not corpus.has_classes
    assert "classes" not in corpus.info


def test_attributes_are_kept_where_they_are_known(tmp_path: Path) -> None:
    table = images().assign(**dict.fromkeys(ATTRIBUTES, "red"))
    write_corpus(tmp_path / "c", table, [b""] * 3, descriptions(), iter([b"a", b"b"]), info=INFO)

    assert Corpus(tmp_path / "c").has_attributes


def test_the_summary_counts_captions_and_names_its_swaps(tmp_path: Path) -> None:
    write(tmp_path / "corpus")

    assert json.loads((tmp_path / "corpus" / "corpus.json").read_text()) == {
        "kind": "recorded",
        "edition": "tiny",
        "classes": 2,
        "images": {"train": 2, "test": 1},
        "utterances": {"train": 2, "test": 1},
        "swaps": 1,
    }


def test_the_same_corpus_has_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")

    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


@pytest.mark.parametrize(
    ("pictures", "recordings", "message"),
    [
        (2, 2, "pictures of the corpus; got 2; expected 3"),
        (3, 1, "recordings of the corpus; got 1; expected 2"),
    ],
)
def test_a_missing_item_is_told_and_nothing_is_left(
    tmp_path: Path, pictures: int, recordings: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        write_corpus(
            tmp_path / "c",
            images(),
            [b"x"] * pictures,
            descriptions(),
            [b"y"] * recordings,
            info=INFO,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "number", "told"),
    [
        ("image", -1, "got -1; expected 0 to 2"),
        ("image", 3, "got 3; expected 0 to 2"),
        ("image", None, "got null; expected 0 to 2"),
        ("recording", -1, "got -1; expected 0 to 1"),
        ("swap_of", -1, "got -1; expected 0 to 3"),
        ("swap_of", 4, "got 4; expected 0 to 3"),
    ],
)
def test_a_row_that_is_not_there_is_told_and_nothing_is_left(
    tmp_path: Path, column: str, number: int | None, told: str
) -> None:
    table = descriptions()
    table.loc[3, column] = number
    with pytest.raises(UserError, match=f"column '{column}' of the descriptions; {told}"):
        write_corpus(tmp_path / "c", images(), [b"x"] * 3, table, [b"y"] * 2, info=INFO)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_corpus_leaves_the_earlier_one(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise OSError(28, "No space left on device")

    write(tmp_path / "corpus")
    with pytest.raises(OSError, match="No space left"):
        write_corpus(tmp_path / "corpus", images(), broken(), descriptions(), info=INFO)

    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    assert Corpus(tmp_path / "corpus").picture_bytes(0) == png(10)


def test_a_corpus_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Corpus(tmp_path / "nowhere")


def test_a_broken_picture_is_told_by_its_published_name(tmp_path: Path) -> None:
    write_corpus(
        tmp_path / "c", images(), [b"?", b"?", b"?"], descriptions(), [b"a", b"b"], info=INFO
    )

    with pytest.raises(UserError, match=r"b\.png"):
        Corpus(tmp_path / "c").picture(1)


@pytest.mark.parametrize("name", ["index.parquet", "descriptions.parquet", "corpus.json"])
def test_a_file_of_another_corpus_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "corpus")
    more = pd.concat([images(), images()[:1]]), pd.concat([descriptions(), descriptions()[:1]])
    pictures, recordings = [png(level) for level in range(4)], [b"RIFF", b"OggS!"]
    write_corpus(tmp_path / "other", more[0], pictures, more[1], recordings, info=INFO)
    shutil.copyfile(tmp_path / "other" / name, tmp_path / "corpus" / name)
    with pytest.raises(UserError, match=r"not those of its corpus\.json.*`dvc repro download`"):
        Corpus(tmp_path / "corpus")


def test_files_of_another_corpus_are_named(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")
    corpus.check_rows(pictures={"image.npy": 3}, utterances={"speech.npy": 4})
    with pytest.raises(UserError, match=r"rows of 'speech\.npy'; got 3, not 4 as in the corpus"):
        corpus.check_rows(pictures={"image.npy": 3}, utterances={"speech.npy": 3})
