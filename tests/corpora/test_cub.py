import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from s2igan.corpora import cub
from s2igan.corpora.index import Corpus
from s2igan.corpora.manifest import read_manifest
from s2igan.errors import UserError

from .birds import CLASSES, PER_CLASS, Birds, captions_of, jpeg_of, names, place
from .makers import folder_bytes, jpeg, task_in

NAMES = names()
FIRST = NAMES[0]


def build(
    folder: Path,
    birds: Birds | None = None,
    **changes: Any,
) -> Corpus:
    folder.mkdir(exist_ok=True)
    return build_from((birds or Birds()).write(folder), folder, **changes)


def build_from(
    manifest: Path,
    folder: Path,
    **changes: Any,
) -> Corpus:
    cub.build(task_in(folder, manifest, **changes))
    return Corpus(folder / "corpus")


def told(folder: Path, birds: Birds, on_broken: Literal["stop", "skip"] = "stop") -> str:
    with pytest.raises(UserError) as error:
        build(folder, birds, on_broken=on_broken)
    assert "\n" not in str(error.value)
    assert not [path for path in folder.iterdir() if path.is_dir()]
    return str(error.value)


def test_pictures_stand_in_the_order_of_their_list_as_published(tmp_path: Path) -> None:
    corpus = build(tmp_path)
    assert corpus.images["name"].tolist() == NAMES
    assert [corpus.picture_bytes(row) for row in range(12)] == [jpeg(row) for row in range(12)]


def test_classes_splits_and_boxes_are_those_of_the_lists(tmp_path: Path) -> None:
    images = build(tmp_path).images
    assert images["class_id"].tolist() == [row // PER_CLASS for row in range(12)]
    assert images["class_name"].tolist() == [CLASSES[row // PER_CLASS] for row in range(12)]
    assert images["split"].tolist() == ["train"] * 3 + ["test"] * 3 + ["train"] * 3 + ["test"] * 3
    assert [box.tolist() for box in images["box"]] == [[n, 2, 20, 15] for n in range(1, 13)]


def test_a_picture_keeps_its_ten_captions_in_their_order(tmp_path: Path) -> None:
    corpus = build(tmp_path)
    descriptions = corpus.descriptions
    assert descriptions["image"].tolist() == [row // 10 for row in range(120)]
    assert descriptions["position"].tolist() == 12 * [*range(10)]
    assert descriptions["text"][13] == captions_of(NAMES[1]).decode().splitlines()[3]
    assert corpus.info["utterances"] == {"train": 60, "test": 60}
    assert "skipped" not in corpus.info


@pytest.mark.parametrize("end", [b" \n", b"\r\n", b"\n\n"])
def test_an_empty_line_at_the_end_of_a_file_is_no_caption(tmp_path: Path, end: bytes) -> None:
    birds = Birds()
    birds.captions[place(FIRST)] = captions_of(FIRST) + end
    assert build(tmp_path, birds).descriptions["text"][:10].tolist() == (
        captions_of(FIRST).decode().splitlines()
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_the_archives_changes_no_byte(tmp_path: Path, seed: int) -> None:
    build(tmp_path / "a")
    build(tmp_path / "b", Birds(shuffled=seed))
    first, second = folder_bytes(tmp_path / "a/corpus"), folder_bytes(tmp_path / "b/corpus")
    # The checksums of the archives differ.
    assert first.pop("corpus.json") != second.pop("corpus.json")
    assert first == second


def test_workers_change_no_byte(tmp_path: Path) -> None:
    manifest = Birds().write(tmp_path)
    build_from(manifest, tmp_path, val_classes=1)
    first = folder_bytes(tmp_path / "corpus")
    build_from(manifest, tmp_path, val_classes=1, workers=2)
    assert folder_bytes(tmp_path / "corpus") == first


def test_grey_and_four_colour_pictures_are_fine(tmp_path: Path) -> None:
    birds = Birds()
    birds.pictures[NAMES[0]] = jpeg_of("L", 90)
    birds.pictures[NAMES[1]] = jpeg_of("CMYK", (0, 255, 255, 0))
    corpus = build(tmp_path, birds)
    grey, red = corpus.picture(0), corpus.picture(1)
    assert grey.shape == red.shape == (20, 24, 3)
    assert np.abs(grey.astype(int) - 90).max() <= 1
    assert np.abs(red.astype(int) - (255, 0, 0)).max() <= 2


def empty_file(birds: Birds) -> None:
    birds.pictures[FIRST] = b""


def cut_file(birds: Birds) -> None:
    birds.pictures[FIRST] = birds.pictures[FIRST][:-100]


def no_picture(birds: Birds) -> None:
    birds.pictures[FIRST] = b"<html>not found</html>"


def picture_twice(birds: Birds) -> None:
    birds.members.append((f"CUB_200_2011/images/{FIRST}", jpeg(0)))


def missing_picture(birds: Birds) -> None:
    del birds.pictures[FIRST]


def nine_captions(birds: Birds) -> None:
    birds.captions[place(FIRST)] = captions_of(FIRST, 9)


def eleven_captions(birds: Birds) -> None:
    birds.captions[place(FIRST)] = captions_of(FIRST, 11)


def no_lines(birds: Birds) -> None:
    birds.captions[place(FIRST)] = b"\n"


def no_captions(birds: Birds) -> None:
    del birds.captions[place(FIRST)]


def latin_captions(birds: Birds) -> None:
    birds.captions[place(FIRST)] = captions_of(FIRST, 9) + "a café au lait back\n".encode("latin-1")


def wordless_caption(birds: Birds) -> None:
    birds.captions[place(FIRST)] = captions_of(FIRST, 9) + b"{}\n"


def no_box(birds: Birds) -> None:
    del birds.boxes[0]


def flat_box(birds: Birds) -> None:
    birds.boxes[0] = "1 60.0 27.0 325.0 0.0"


def endless_box(birds: Birds) -> None:
    birds.boxes[0] = "1 60.0 27.0 inf 3.0"


def half_box(birds: Birds) -> None:
    birds.boxes[0] = "1 60.0 27.0"


OF_ONE_PICTURE = [
    (empty_file, "an empty file"),
    (cut_file, "that do not decode (image file is truncated"),
    (no_picture, "22 bytes that do not decode (not a picture)"),
    (picture_twice, "in the archives twice"),
    (missing_picture, "missing in the archives"),
    (nine_captions, "9 captions instead of 10"),
    (eleven_captions, "11 captions instead of 10"),
    (no_lines, "0 captions instead of 10"),
    (no_captions, "without captions"),
    (latin_captions, "captions that are not UTF-8 (byte 0xe9)"),
    (wordless_caption, "caption 9 without words ('{}')"),
    (no_box, "without box in bounding_boxes.txt"),
    (flat_box, "box '60.0 27.0 325.0 0.0' without area"),
    (endless_box, "box '60.0 27.0 inf 3.0' without area"),
    (half_box, "box '60.0 27.0' instead of four numbers"),
]


@pytest.mark.parametrize(("spoil", "reason"), OF_ONE_PICTURE)
def test_a_defect_of_one_picture_stops_by_itself(
    tmp_path: Path, spoil: Callable[[Birds], None], reason: str
) -> None:
    birds = Birds()
    spoil(birds)
    message = told(tmp_path, birds)
    assert f": 1 defect; got {FIRST}: " in message
    assert reason in message
    assert "corpus.on_broken" in message


@pytest.mark.parametrize(("spoil", "reason"), OF_ONE_PICTURE)
def test_a_broken_picture_is_left_out_and_listed(
    tmp_path: Path, spoil: Callable[[Birds], None], reason: str
) -> None:
    birds = Birds()
    spoil(birds)
    corpus = build(tmp_path, birds, on_broken="skip")
    assert corpus.images["name"].tolist() == NAMES[1:]
    assert [corpus.picture_bytes(row) for row in range(11)] == [jpeg(row) for row in range(1, 12)]
    assert corpus.descriptions["image"].tolist() == [row // 10 for row in range(110)]
    assert corpus.descriptions["text"][0] == captions_of(NAMES[1]).decode().splitlines()[0]
    assert corpus.info["skipped"].keys() == {FIRST}
    assert reason in corpus.info["skipped"][FIRST]
    assert corpus.info["images"] == {"train": 5, "test": 6}


def shuffled_classes(birds: Birds) -> None:
    birds.classes[1], birds.classes[2] = birds.classes[2], birds.classes[1]


def renamed_classes(birds: Birds) -> None:
    birds.classes[1:3] = [f"2 {CLASSES[2]}", f"3 {CLASSES[1]}"]


def missing_class(birds: Birds) -> None:
    del birds.classes[3]


def wrong_label(birds: Birds) -> None:
    birds.labels[0] = "1 3"


def no_label(birds: Birds) -> None:
    del birds.labels[0]


def no_image(birds: Birds) -> None:
    birds.labels.append("13 1")


def same_number(birds: Birds) -> None:
    birds.images[1] = f"1 {NAMES[1]}"


def same_name(birds: Birds) -> None:
    birds.images[1] = f"2 {FIRST}"


def bare_line(birds: Birds) -> None:
    birds.boxes.append("thirteen")


def no_list(birds: Birds) -> None:
    birds.boxes.clear()


def unlisted_picture(birds: Birds) -> None:
    birds.pictures[f"{CLASSES[0]}/Another.jpg"] = jpeg(20)


def unlisted_captions(birds: Birds) -> None:
    birds.captions[f"{CLASSES[0]}/Another"] = captions_of(FIRST)


def captions_twice(birds: Birds) -> None:
    birds.texts.append((f"text_c10/{place(FIRST)}.txt", captions_of(FIRST)))


def other_archive(birds: Birds) -> None:
    birds.captions = {"image_00001": b"flower\n"}


def no_photographs(birds: Birds) -> None:
    birds.pictures.clear()


def other_counts(birds: Birds) -> None:
    birds.counts |= {"images": 13, "utterances": 117}


def absent_quirk(birds: Birds) -> None:
    birds.dropped.append({"image": place(FIRST), "position": 3, "text": "{}"})


OF_THE_CORPUS = [
    (shuffled_classes, ["classes.txt: out of order from line 2 on, which is class 3"]),
    (
        renamed_classes,
        [
            "classes.txt: class 2 is called '003.Sooty_Albatross', and 1 more contradict their "
            "numbers"
        ],
    ),
    (
        missing_class,
        ["images.txt: folder '004.Groove_billed_Ani', which is no class of classes.txt"],
    ),
    (wrong_label, [f"{FIRST}: label 3, which contradicts its folder"]),
    (no_label, [f"{FIRST}: without label in image_class_labels.txt"]),
    (no_image, ["image_class_labels.txt: picture 13, which images.txt does not list"]),
    (same_number, ["images.txt: number 1 twice, again in line 2"]),
    (same_name, [f"images.txt: {FIRST} twice", f"{NAMES[1]}: in the archives, but not listed"]),
    (bare_line, ["bounding_boxes.txt: line 13 is 'thirteen' instead of a number and a value"]),
    (no_list, ["bounding_boxes.txt: missing in the archives"]),
    (unlisted_picture, [f"{CLASSES[0]}/Another.jpg: in the archives, but not listed"]),
    (unlisted_captions, [f"captions {CLASSES[0]}/Another: of no picture that is listed there"]),
    (captions_twice, [f"captions {place(FIRST)}: twice in cvpr2016_cub.tar.gz"]),
    (other_archive, ["cvpr2016_cub.tar.gz: no captions inside"]),
    (no_photographs, ["CUB_200_2011.tgz: no pictures inside"]),
    (other_counts, ["12 images instead of 13", "120 utterances instead of 117"]),
    (absent_quirk, [f"{place(FIRST)}: caption 3 is not the '{{}}' that the manifest drops"]),
]


@pytest.mark.parametrize("on_broken", ["stop", "skip"])
@pytest.mark.parametrize(("spoil", "defects"), OF_THE_CORPUS)
def test_a_defect_of_the_corpus_always_stops(
    tmp_path: Path,
    spoil: Callable[[Birds], None],
    defects: list[str],
    on_broken: Literal["stop", "skip"],
) -> None:
    birds = Birds()
    spoil(birds)
    message = told(tmp_path, birds, on_broken)
    for defect in defects:
        assert defect in message


def test_all_defects_are_told_at_once_and_skipping_tells_those_of_the_corpus(
    tmp_path: Path,
) -> None:
    birds = Birds()
    empty_file(birds)
    birds.captions[place(NAMES[4])] = captions_of(NAMES[4], 9)
    wrong = [f"{FIRST}: an empty file", f"{NAMES[4]}: 9 captions", "118 utterances instead of 120"]
    birds.counts["utterances"] = 118
    wrong[2] = "120 utterances instead of 118"
    message = told(tmp_path, birds)
    assert "3 defects" in message
    assert all(defect in message for defect in wrong)
    message = told(tmp_path, birds, "skip")
    assert "1 defect;" in message
    assert wrong[2] in message


def test_a_picture_with_two_defects_is_listed_with_both(tmp_path: Path) -> None:
    birds = Birds()
    empty_file(birds)
    nine_captions(birds)
    corpus = build(tmp_path, birds, on_broken="skip")
    assert corpus.info["skipped"] == {FIRST: "an empty file; 9 captions instead of 10"}


def test_a_class_of_which_one_picture_is_left_is_told(tmp_path: Path) -> None:
    birds = Birds()
    for name in NAMES[:2]:
        birds.pictures[name] = b""
    message = told(tmp_path, birds, "skip")
    assert f"class {CLASSES[0]}: 1 picture left; at least 2" in message


def test_a_listed_caption_is_dropped_alone(tmp_path: Path) -> None:
    birds = Birds()
    wordless_caption(birds)
    birds.dropped.append({"image": place(FIRST), "position": 9, "text": "{}"})
    birds.counts["utterances"] = 119
    corpus = build(tmp_path, birds)
    assert corpus.descriptions["position"].tolist() == [*range(9), *(11 * [*range(10)])]


def test_pictures_are_never_held_in_memory(tmp_path: Path) -> None:
    birds = Birds(shuffled=3)
    noise = np.random.default_rng(0)
    for name in NAMES:
        pixels = noise.integers(0, 256, (700, 700, 3), np.uint8)
        path = tmp_path / "noise.jpg"
        Image.fromarray(pixels).save(path, quality=100)
        birds.pictures[name] = path.read_bytes()
    size = len(birds.pictures[FIRST])
    manifest = birds.write(tmp_path)
    tracemalloc.start()
    build_from(manifest, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * size


def test_the_manifest_names_the_birds_of_the_paper(repository: Path) -> None:
    facts = read_manifest(repository / "data" / "cub.yaml", cub.CubManifest)
    assert len(set(facts.test_classes)) == 50
    assert min(facts.test_classes) == 1
    assert max(facts.test_classes) == 197
    counts = facts.counts
    assert (counts.train_images, counts.test_images, counts.images) == (8855, 2933, 11788)
    assert (counts.utterances, counts.test_utterances) == (117880, 29330)
    assert facts.editions.keys() == {"published"}
