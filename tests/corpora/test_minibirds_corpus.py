import io
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, VALUES
from s2igan.corpora.index import Corpus
from s2igan.corpora.minibirds.build import build
from s2igan.corpora.minibirds.config import MinibirdsConfig
from s2igan.corpora.minibirds.roster import roster
from s2igan.corpora.minibirds.species import Species, choose_species, read_species
from s2igan.corpora.task import Task
from s2igan.errors import UserError

from .makers import folder_bytes, task_in

MANIFEST = Path(__file__).parents[2] / "data" / "minibirds.yaml"
CONFIG = MinibirdsConfig(
    language="english",
    species=10,
    drawings_per_train_species=3,
    drawings_per_val_species=2,
    drawings_per_test_species=2,
    reference_drawings=5,
    swap_descriptions=10,
)


def task(folder: Path, workers: int = 1) -> Task:
    return task_in(folder, MANIFEST, seed=7, val_classes=3, workers=workers)


@pytest.fixture(scope="module")
def species() -> list[Species]:
    return read_species(MANIFEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("minibirds") / "corpus"
    build(CONFIG, task(out.parent))
    return out


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus(folder)


def colours_apart(one: Species, other: Species) -> int:
    return sum(one.attributes[part] != other.attributes[part] for part in COLOUR_PARTS)


def test_twenty_of_the_species_are_test(species: list[Species]) -> None:
    assert Counter(one.split for one in species) == {"train": 1300, "test": 20}
    assert len({one.name for one in species}) == 1320


def test_two_hundred_are_the_first_of_the_list_with_all_test_species(
    species: list[Species],
) -> None:
    chosen = choose_species(species, 200, 20, np.random.default_rng(0))
    assert [one.name for one in chosen] == [one.name for one in species[:200]]
    assert Counter(one.split for one in chosen) == {"train": 160, "val": 20, "test": 20}


@pytest.mark.parametrize(("count", "test"), [(5, 2), (30, 3), (400, 20)])
def test_a_tenth_of_the_species_are_test_as_far_as_there_are(
    species: list[Species], count: int, test: int
) -> None:
    chosen = choose_species(species, count, 1, np.random.default_rng(0))
    assert Counter(one.split for one in chosen) == {
        "train": count - test - 1,
        "val": 1,
        "test": test,
    }


def test_species_are_told_apart_by_their_colours(species: list[Species]) -> None:
    assert min(colours_apart(*pair) for pair in combinations(species, 2)) >= 2
    test = [one for one in species if one.split == "test"]
    assert min(colours_apart(*pair) for pair in combinations(test, 2)) >= 3


def test_every_value_is_met_often_in_training(species: list[Species]) -> None:
    for split, fewest in (("train", 140), ("test", 1)):
        counts = Counter(
            (name, one.attributes[name])
            for one in species
            if one.split == split
            for name in ATTRIBUTES
        )
        assert min(counts[name, value] for name in ATTRIBUTES for value in VALUES[name]) >= fewest


def test_the_command_that_made_the_list_still_makes_it() -> None:
    assert roster() == MANIFEST.read_text(encoding="utf-8")


def test_splits_are_by_species_and_counted(corpus: Corpus) -> None:
    assert corpus.info == {
        "kind": "minibirds",
        "edition": "drawn",
        "seed": 7,
        "classes": 10,
        "images": {"train": 15, "val": 6, "test": 4, "reference": 5, "floor": 5},
        "utterances": {"train": 150, "val": 60, "test": 40},
        "swaps": 10,
    }
    classes = corpus.images.groupby("split")["class_id"].agg(set)
    assert not classes["train"] & classes["val"]
    assert not (classes["train"] | classes["val"]) & classes["test"]
    assert classes["test"] == classes["reference"] == classes["floor"]
    assert set().union(*classes) == set(range(10))


def test_the_index_tells_what_is_drawn(corpus: Corpus, species: list[Species]) -> None:
    known = {one.name: one.attributes for one in species}
    assert corpus.has_attributes
    for row in corpus.images.to_dict("records"):
        assert {name: row[name] for name in ATTRIBUTES} == known[row["class_name"]]
    assert corpus.images["box"].isna().all()


def test_undescribed_drawings_go_round_the_test_species(corpus: Corpus) -> None:
    for split in ("reference", "floor"):
        classes = corpus.images[corpus.images["split"] == split]["class_id"].tolist()
        assert classes == [classes[0], classes[1], classes[0], classes[1], classes[0]]


def test_no_two_drawings_are_the_same(corpus: Corpus) -> None:
    drawings = {corpus.picture_bytes(row) for row in range(len(corpus.images))}
    assert len(drawings) == len(corpus.images)


def test_drawings_are_jpeg_of_256_px_with_full_colour_resolution(corpus: Corpus) -> None:
    with Image.open(io.BytesIO(corpus.picture_bytes(0))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (256, 256)
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_ten_captions_a_picture_stand_in_the_order_of_the_index(corpus: Corpus) -> None:
    captions = corpus.descriptions[corpus.descriptions["role"] == "caption"]
    assert captions.index.tolist() == list(range(250))
    assert captions["image"].tolist() == np.repeat(np.arange(25), 10).tolist()
    assert captions["position"].tolist() == list(range(10)) * 25
    assert captions["swap_of"].isna().all()


def test_swaps_come_last_and_differ_in_one_word(corpus: Corpus) -> None:
    swaps = corpus.descriptions[corpus.descriptions["role"] == "swap"]
    assert swaps.index.tolist() == list(range(250, 260))
    assert (swaps["split"] == "test").all()
    assert Counter(swaps["swap_attribute"]) == dict.fromkeys(COLOUR_PARTS, 2)
    assert swaps["swap_of"].is_unique
    for row in swaps.to_dict("records"):
        source = corpus.descriptions.iloc[int(row["swap_of"])]
        part, colour = row["swap_attribute"], row["swap_value"]
        old = corpus.images[part].iloc[row["image"]]
        assert source["image"] == row["image"]
        assert part in list(row["mentions"]) == list(source["mentions"])
        assert colour in VALUES[part]
        assert colour != old
        before, after = (str(text).replace("-", " ").split() for text in (source.text, row["text"]))
        changes = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert [(a.strip(",.;"), b.strip(",.;")) for a, b in changes] == [(old, colour)]


def test_workers_do_not_change_a_byte(folder: Path, tmp_path: Path) -> None:
    build(CONFIG, task(tmp_path, workers=3))
    assert folder_bytes(tmp_path / "corpus") == folder_bytes(folder)


def test_the_seed_decides(species: list[Species]) -> None:
    def validation(seed: int) -> set[str]:
        chosen = choose_species(species, 0, 20, np.random.default_rng(seed))
        return {one.name for one in chosen if one.split == "val"}

    assert len(validation(1)) == 20
    assert validation(1) == validation(1) != validation(2)


def test_more_drawings_do_not_change_those_there_were(corpus: Corpus, tmp_path: Path) -> None:
    more = CONFIG.model_copy(update={"drawings_per_train_species": 4, "reference_drawings": 2})
    build(more, task(tmp_path))

    larger = Corpus(tmp_path / "corpus")
    assert larger.picture_bytes(4) != corpus.picture_bytes(4)
    assert larger.picture_bytes(2) == corpus.picture_bytes(2)
    assert larger.picture_bytes(4) == corpus.picture_bytes(3)
    assert larger.descriptions["text"][40] == corpus.descriptions["text"][30]


@pytest.mark.parametrize(
    ("count", "val", "key"),
    [
        (1321, 20, "corpus.minibirds.species"),
        (3, 0, "corpus.minibirds.species; got 3; expected at least 4"),
        (0, 1299, "corpus.val_classes"),
    ],
)
def test_more_or_fewer_species_than_can_be_is_told(
    species: list[Species], count: int, val: int, key: str
) -> None:
    with pytest.raises(UserError, match=key):
        choose_species(species, count, val, np.random.default_rng(0))


def test_more_swaps_than_captions_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    greedy = CONFIG.model_copy(update={"swap_descriptions": 1000})
    with pytest.raises(UserError, match="swap_descriptions; got 1000; expected at most"):
        build(greedy, task(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crown": "purple"}, "species 1: crown; got purple"),
        ({"split": "val"}, "species 1: split; got val"),
        ({"beak": "long"}, "species 1"),
        ({"name": "twin"}, "'twin' 2 times"),
        ({"wing_bars": "plain"}, "2 times"),
    ],
)
def test_a_manifest_that_is_not_sound_is_told(
    tmp_path: Path, species: list[Species], change: dict[str, str], message: str
) -> None:
    values = dict(species[0].attributes) | {"wing_bars": "plain"}
    one = {"name": "one", "split": "train", **values, "wing_bars": "barred"}
    other = {"name": "twin", "split": "test", **values}
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"species": [one | change, other]}))

    with pytest.raises(UserError, match=message):
        read_species(path)


@pytest.mark.parametrize("text", ["", "species: []", "- a\n"])
def test_a_manifest_without_species_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="species"):
        read_species(path)
