from collections.abc import Callable
from pathlib import Path

import pytest

from s2igan.corpora import oxford102
from s2igan.corpora.index import Corpus
from s2igan.corpora.manifest import digest
from s2igan.errors import UserError

from .makers import (
    DROPPED,
    LABELS,
    Flowers,
    build_flowers,
    build_flowers_from,
    folder_bytes,
    jpeg,
    task_in,
)


def test_pictures_stand_in_the_order_of_their_numbers_as_published(tmp_path: Path) -> None:
    corpus = build_flowers(tmp_path)
    assert corpus.images["name"].tolist() == [f"image_{n:05d}.jpg" for n in range(1, 11)]
    for row in range(10):
        assert corpus.picture_bytes(row) == jpeg(row + 1)


def test_classes_are_those_of_the_labels_and_split_as_listed(tmp_path: Path) -> None:
    images = build_flowers(tmp_path).images
    assert images["class_id"].tolist() == [label - 1 for label in LABELS]
    assert images["class_name"].iloc[0] == "class_00003"
    expected = ["test" if label in (1, 2) else "train" for label in LABELS]
    assert images["split"].tolist() == expected


def test_only_the_listed_caption_is_dropped(tmp_path: Path) -> None:
    corpus = build_flowers(tmp_path)
    descriptions = corpus.descriptions
    assert len(descriptions) == 19
    assert descriptions["text"].tolist()[:2] == ["flower 1 is red", "flower 1 is big"]
    positions = descriptions.groupby("image")["position"].apply(list)
    assert positions[DROPPED - 1] == [0]
    assert all(positions[image] == [0, 1] for image in range(10) if image != DROPPED - 1)
    assert descriptions["image"].is_monotonic_increasing
    assert (descriptions["role"] == "caption").all()
    assert corpus.info["dropped_captions"] == 1


def test_the_corpus_names_its_edition_counts_and_unpinned_archives(tmp_path: Path) -> None:
    info = build_flowers(tmp_path).info
    assert (info["kind"], info["edition"], info["classes"]) == ("oxford102", "tiny", 5)
    assert info["images"] == {"train": 6, "test": 4}
    assert info["utterances"] == {"train": 11, "test": 8}
    assert info["unpinned_sha256"]["a.tar"] == digest(tmp_path / "a.tar", "sha256")


def test_validation_classes_come_out_of_training(tmp_path: Path) -> None:
    images = build_flowers(tmp_path, val_classes=1).images
    split = images.groupby("class_id")["split"].agg(["nunique", "first"])
    assert (split["nunique"] == 1).all()
    assert split["first"].tolist().count("val") == 1
    assert split["first"].tolist()[:2] == ["test", "test"]


def test_workers_and_repetition_change_no_byte(tmp_path: Path) -> None:
    manifest = Flowers().write(tmp_path)
    build_flowers_from(manifest, tmp_path, val_classes=1)
    first = folder_bytes(tmp_path / "corpus")
    build_flowers_from(manifest, tmp_path, val_classes=1, workers=2)
    assert folder_bytes(tmp_path / "corpus") == first


def empty_caption(flowers: Flowers) -> None:
    flowers.captions[1, 2] = b"flower 2 is red\n{}\n"


def blank_line(flowers: Flowers) -> None:
    flowers.captions[1, 2] = b"flower 2 is red\n \n"


def one_caption(flowers: Flowers) -> None:
    flowers.captions[1, 2] = b"flower 2 is red\n"


def no_captions(flowers: Flowers) -> None:
    del flowers.captions[1, 2]


def latin_captions(flowers: Flowers) -> None:
    flowers.captions[1, 2] = "caf\u00e9\nflower".encode("latin-1")


def other_folder(flowers: Flowers) -> None:
    flowers.captions[5, 2] = flowers.captions.pop((1, 2))


def both_folders(flowers: Flowers) -> None:
    flowers.captions[5, 2] = flowers.captions[1, 2]


def unlabelled_captions(flowers: Flowers) -> None:
    flowers.captions[1, 11] = b"a\nb\n"


def missing_picture(flowers: Flowers) -> None:
    del flowers.pictures[2]


def unlabelled_picture(flowers: Flowers) -> None:
    flowers.pictures[11] = jpeg(11)


def cut_picture(flowers: Flowers) -> None:
    flowers.pictures[2] = flowers.pictures[2][:-100]


def no_picture(flowers: Flowers) -> None:
    flowers.pictures[2] = b"<html>not found</html>"


def large_label(flowers: Flowers) -> None:
    flowers.labels[1] = 6


def healed_quirk(flowers: Flowers) -> None:
    flowers.captions[LABELS[DROPPED - 1], DROPPED] = b"flower 8 is red\nflower 8 is big\n"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (empty_caption, "image_00002.jpg: caption 1 without words ('{}')"),
        (blank_line, "image_00002.jpg: 1 captions instead of 2"),
        (one_caption, "image_00002.jpg: 1 captions instead of 2"),
        (no_captions, "image_00002.jpg: without captions"),
        (
            latin_captions,
            "image_00002.jpg: captions that are not UTF-8 (byte 0xe9)",
        ),
        (other_folder, "captions class_00005/image_00002: of no picture that is listed there"),
        (both_folders, "captions class_00005/image_00002: of no picture that is listed there"),
        (
            unlabelled_captions,
            "captions class_00001/image_00011: of no picture that is listed there",
        ),
        (missing_picture, "image_00002.jpg: missing in the archives"),
        (unlabelled_picture, "image_00011.jpg: in the archives, but not listed"),
        (cut_picture, "image_00002.jpg: "),
        (no_picture, "image_00002.jpg: 22 bytes that do not decode (not a picture)"),
        (large_label, "image_00002.jpg: label 6 outside 1 to 5"),
        (healed_quirk, "image_00008: caption 1 is not the '{}' that the manifest drops"),
    ],
)
def test_a_defect_is_named_and_nothing_is_written(
    tmp_path: Path, spoil: Callable[[Flowers], None], told: str
) -> None:
    flowers = Flowers()
    spoil(flowers)
    with pytest.raises(UserError) as error:
        build_flowers(tmp_path, flowers)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_all_defects_are_told_at_once(tmp_path: Path) -> None:
    flowers = Flowers()
    flowers.captions[1, 2] = b"?\n"
    flowers.pictures[3] = b"no picture"
    flowers.counts["utterances"] = 20
    del flowers.pictures[9]
    with pytest.raises(UserError) as error:
        build_flowers(tmp_path, flowers)
    # A broken picture is told by itself, and counted as if it were whole.
    assert "5 defects" in str(error.value)
    for told in (
        "image_00002.jpg: 1 captions",
        "image_00002.jpg: caption 0",
        "19 utterances instead of 20",
        "image_00003.jpg",
        "image_00009.jpg",
    ):
        assert told in str(error.value)


def test_a_broken_picture_is_left_out_and_listed(tmp_path: Path) -> None:
    flowers = Flowers()
    flowers.add(label=3)
    flowers.pictures[6] = flowers.pictures[6][:-100]
    flowers.captions[3, 6] = b"one caption\n"
    corpus = build_flowers(tmp_path, flowers, on_broken="skip")
    numbers = [n for n in range(1, 12) if n != 6]
    assert corpus.images["name"].tolist() == [f"image_{n:05d}.jpg" for n in numbers]
    assert [corpus.picture_bytes(row) for row in range(10)] == [jpeg(n) for n in numbers]
    assert corpus.images["class_id"].tolist() == [[*LABELS, 3][n - 1] - 1 for n in numbers]
    # Picture 8, now in row 6, has the caption that the manifest drops.
    rows = [row for row in range(10) for _ in range(1 if row == 6 else 2)]
    assert corpus.descriptions["image"].tolist() == rows
    skipped = corpus.info["skipped"]
    assert skipped.keys() == {"image_00006.jpg"}
    assert "truncated" in skipped["image_00006.jpg"]
    assert "1 captions instead of 2" in skipped["image_00006.jpg"]


def test_a_failure_leaves_an_earlier_corpus_as_it_was(tmp_path: Path) -> None:
    build_flowers(tmp_path)
    before = folder_bytes(tmp_path / "corpus")
    flowers = Flowers()
    cut_picture(flowers)
    with pytest.raises(UserError):
        build_flowers(tmp_path, flowers)
    assert folder_bytes(tmp_path / "corpus") == before


@pytest.mark.parametrize("name", ["b.tgz", "captions.tar.gz"])
def test_a_truncated_archive_is_told(tmp_path: Path, name: str) -> None:
    manifest = Flowers().write(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f"{name}.*expected a whole tar archive"):
        build_flowers_from(manifest, tmp_path)
    assert not (tmp_path / "corpus").exists()


def test_labels_that_are_no_matlab_file_are_told(tmp_path: Path) -> None:
    manifest = Flowers().write(tmp_path)
    (tmp_path / "labels.mat").write_bytes(b"no labels" * 100)
    with pytest.raises(UserError, match=r"labels\.mat"):
        build_flowers_from(manifest, tmp_path)


@pytest.mark.real_data
def test_the_real_photographs_are_all_there(
    tmp_path: Path, real_data: Path, repository: Path
) -> None:
    manifest = repository / "data" / "oxford102.yaml"
    task = task_in(real_data, manifest, "304px", val_classes=12, out=tmp_path / "corpus")
    oxford102.build(task, authors_speech=False)
    corpus = Corpus(tmp_path / "corpus")
    images, utterances = corpus.info["images"], corpus.info["utterances"]
    assert images["train"] + images["val"] == 7034
    assert images["test"] == 1155
    assert sum(utterances.values()) == 81877
    assert utterances["test"] == 11549
    test = corpus.images[corpus.images["split"] == "test"]
    assert sorted(test["class_id"].unique()) == list(range(20))
    assert corpus.images["class_id"].nunique() == 102
    # A caption of the published folder class_00001, and the picture it belongs to.
    row = corpus.images.index[corpus.images["name"] == "image_06734.jpg"][0]
    texts = corpus.descriptions[corpus.descriptions["image"] == row]["text"].tolist()
    assert texts[0] == "the petals of the flower are pink in color and have a yellow center."
    assert corpus.images["class_name"][row] == "class_00001"
    assert min(corpus.picture(row).shape[:2]) == 304
