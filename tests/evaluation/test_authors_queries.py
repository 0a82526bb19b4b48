import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from s2igan.corpora.index import Corpus, write_corpus
from s2igan.errors import UserError
from s2igan.evaluation.authors_queries import LISTS, authors_queries
from s2igan.evaluation.consistency import consistency_figures
from s2igan.evaluation.figures import Resampling
from tests.evaluation.world import World, full, settings

ROOT = Path(__file__).parents[2]
CONTENT: dict[str, Any] = yaml.safe_load(LISTS.read_text(encoding="utf-8"))
NAMES: dict[str, list[str]] = CONTENT["queries"]
RESAMPLING = Resampling(seed=0, permutations=5, draws=100)


def corpus_of(
    folder: Path,
    names: list[str],
    kind: str = "oxford102",
    split: str = "test",
    skipped: dict[str, str] | None = None,
) -> Corpus:
    """A corpus of the named pictures after a training picture, in another order than listed."""
    ordered = ["train.jpg", *reversed(names)]
    images = pd.DataFrame(
        {
            "name": ordered,
            "class_id": 0,
            "class_name": "class",
            "split": ["train", *[split] * len(names)],
        }
    )
    described = pd.DataFrame({"image": range(len(ordered)), "position": 0, "role": "caption"})
    write_corpus(
        folder,
        images,
        (b"picture" for _ in ordered),
        described,
        info={"kind": kind, "edition": "test", **({"skipped": skipped} if skipped else {})},
    )
    return Corpus(folder)


def test_two_pictures_of_every_test_class_are_listed() -> None:
    assert set(NAMES) == {"cub", "oxford102"}
    numbers = [int(name.partition(".")[0]) for name in NAMES["cub"]]
    classes = yaml.safe_load((ROOT / "data" / "cub.yaml").read_text())["test_classes"]
    assert sorted(numbers) == sorted([*classes, *classes])
    assert len(set(NAMES["cub"])) == 100
    assert len(set(NAMES["oxford102"])) == 40
    assert all(re.fullmatch(r"image_\d{5}\.jpg", name) for name in NAMES["oxford102"])
    assert "github.com/xinshengwang/S2IGAN" in CONTENT["source"]


def test_the_list_is_a_dep_of_evaluate_alone() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    path = str(LISTS.relative_to(ROOT))
    assert [name for name in stages if path in stages[name]["deps"]] == ["evaluate"]


def test_the_pictures_are_found_by_name(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", NAMES["oxford102"])
    rows, whose = authors_queries(corpus)
    assert rows.tolist() == list(range(1, 41))
    assert whose == "the 40 real test pictures that the authors list"
    assert set(corpus.images["name"].iloc[rows]) == set(NAMES["oxford102"])


@pytest.mark.parametrize(
    ("names", "split", "count"),
    [(NAMES["oxford102"][1:], "test", 1), (NAMES["oxford102"], "val", 40)],
)
def test_a_corpus_that_lacks_them_is_refused(
    names: list[str], split: str, count: int, tmp_path: Path
) -> None:
    corpus = corpus_of(tmp_path / "corpus", names, split=split)
    with pytest.raises(
        UserError, match=f"{count} of the authors' 40 pictures.*{NAMES['oxford102'][0]}"
    ):
        authors_queries(corpus)


def test_a_picture_that_was_skipped_is_no_query(tmp_path: Path) -> None:
    broken, *left = NAMES["oxford102"]
    corpus = corpus_of(tmp_path / "corpus", left, skipped={broken: "an empty file"})
    rows, whose = authors_queries(corpus)
    assert set(corpus.images["name"].iloc[rows]) == set(left)
    assert whose == (
        "the 39 real test pictures that the authors list without 1 that the corpus leaves out as "
        "broken"
    )


def test_other_corpora_have_no_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'authors' with the corpus 'birds'.*cub, oxford102"):
        authors_queries(corpus_of(tmp_path / "corpus", ["a.jpg"], kind="birds"))


def test_they_search_the_pictures_drawn_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world: World = full(tmp_path)
    world.write()
    judged = world.judged()
    listed = judged.material.image_rows("test")[[0, 1, 5]]
    monkeypatch.setattr(
        "s2igan.evaluation.consistency.authors_queries",
        lambda _: (np.asarray(listed, np.int64), "the 3 real test pictures that the authors list"),
    )
    figures: dict[str, Any] = consistency_figures(judged, RESAMPLING, settings(queries="authors"))
    protocol = figures["paper_protocol"]["mAP"]["protocol"]
    assert protocol[0].startswith("the 3 real test pictures that the authors list, search")
    assert any(line.startswith("3 queries, 6 pictures each") for line in protocol)


def test_pictures_of_which_nothing_was_drawn_cannot_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    judged = world.judged()
    monkeypatch.setattr(
        "s2igan.evaluation.consistency.authors_queries",
        lambda _: (judged.material.image_rows("floor")[:2], "theirs"),
    )
    with pytest.raises(UserError, match="2 of the authors' pictures of which nothing was drawn"):
        consistency_figures(judged, RESAMPLING, settings(queries="authors"))
