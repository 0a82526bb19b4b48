import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from s2igan.engine.pictures import Picture
from s2igan.evaluation.grids import (
    SIDE,
    choose_pairs,
    choose_sentences,
    mel_picture,
    samples_grid,
    swap_grid,
)
from s2igan.evaluation.lettering import (
    Sheet,
    Word,
    can_set,
    font_of,
    load_font,
    mark_changes,
    words_of,
    wrap,
)
from tests.evaluation.world import World, full


def test_changed_words_are_marked_on_both_sides() -> None:
    before, after = mark_changes("a red crown and red wings", "a blue crown and red wings")
    assert [word.text for word in before if word.marked] == ["red"]
    assert [word.text for word in after if word.marked] == ["blue"]
    assert before[1].marked
    longer = mark_changes("the bird is red", "the bird is light blue")[1]
    assert [word.text for word in longer if word.marked] == ["light", "blue"]


def test_lines_fit_their_width_and_end_in_an_ellipsis() -> None:
    font = load_font(16)
    words = words_of("a bird with a very long description that goes on, and on, and on")
    lines = wrap(words, font, 150, most=3)
    assert len(lines) == 3
    assert lines[-1][-1].text.endswith("…")
    for line in lines[:-1]:
        assert font.getlength(" ".join(word.text for word in line)) <= 150
    assert wrap(words, font, 10_000, most=3) == [words]
    assert wrap([Word("unbreakable" * 9)], font, 50, most=3) == [[Word("unbreakable" * 9)]]


def set_alone(text: str) -> bytes:
    sheet = Sheet(60, 30)
    sheet.lines([words_of(text)], 4, 4, load_font(16), spacing=21)
    return sheet.picture.tobytes()


def test_letters_that_the_usual_font_lacks_are_set_in_another() -> None:
    usual = load_font(16)
    assert font_of("kingfisher…", usual) is usual
    assert font_of("ǃxóõ", usual).size == usual.size
    unknown = set_alone("\ue000")
    assert all(set_alone(letter) != unknown for letter in "éǃõŋжßλ")
    assert set_alone("é") != set_alone("õ")


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("a kingfisher… by the river", True),
        ("un pájaro, ǃxóõ, ˈbɜːd; μικρό πουλί, птица", True),
        ("vögel e\u0301 \n", True),
        ("カワセミ", False),
        ("a bird, 翠鳥", False),
        ("लाल चिड़िया", False),
        ("นกสีแดง", False),
        ("طائر أحمر", False),
        ("ציפור", False),
    ],
)
def test_a_text_is_set_where_it_can_be_read(text: str, readable: bool) -> None:
    assert can_set(text) is readable


def test_sentences_are_of_different_species_and_prefer_repeated_draws(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    material = world.material()
    groups = choose_sentences(material, 3, seed=0)
    species = [int(material.classes[material.utterances(group)[0]]) for group in groups]
    assert len(set(species)) == 3
    assert species == sorted(species)
    assert {len(group) for group in groups} == {8}
    assert len(choose_sentences(material, 100, seed=0)) == 4


def test_sentences_of_many_species_are_chosen_in_no_time(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    material = world.material()
    count = 30_000  # each picture a species of its own, as without classes
    rows = np.repeat(np.arange(count), 10)
    material.classes = np.arange(count)
    material.samples = pd.DataFrame({"set": "test", "utterance": rows})
    start = time.process_time()
    assert {len(group) for group in choose_sentences(material, 8, seed=0)} == {10}
    assert time.process_time() - start < 1.5  # seconds; 0.3, and 3 where each is looked for


def test_pairs_go_round_the_species(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    material = world.material()
    rows = material.drawn_rows("test")
    chosen = rows[choose_pairs(material, rows, 4, seed=0)]
    assert len(np.unique(material.classes[material.utterances(chosen)])) == 4


def test_the_grid_shows_real_and_drawn_pictures_at_their_size(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    images = np.zeros_like(np.load(tmp_path / "samples" / "images.npy"))
    images[...] = (13, 57, 211)
    np.save(tmp_path / "samples" / "images.npy", images)
    picture = samples_grid(world.material(), tmp_path / "features", 3, 2, seed=0)
    drawn = (picture == (13, 57, 211)).all(axis=2).sum()
    assert drawn == 3 * 2 * SIDE * SIDE


@pytest.fixture
def pasted(monkeypatch: pytest.MonkeyPatch) -> list[Picture]:
    """The pictures that are pasted into grids, in their order."""
    found: list[Picture] = []
    paste = Sheet.paste

    def noted(sheet: Sheet, picture: Picture, *place: int) -> None:
        found.append(picture)
        paste(sheet, picture, *place)

    monkeypatch.setattr(Sheet, "paste", noted)
    return found


def test_drawn_pictures_stand_behind_the_real_one_that_is_described(
    tmp_path: Path, pasted: list[Picture]
) -> None:
    world = full(tmp_path)
    world.write()
    material = world.material()
    samples_grid(material, tmp_path / "features", 3, 2, seed=0)
    expected: list[Picture] = []
    for group in choose_sentences(material, 3, seed=0):
        expected += [*material.real(material.described[material.targets(group[:1])])]
        expected += [*material.drawn(group[:2])]
    np.testing.assert_array_equal(pasted, expected)


def test_the_picture_of_the_changed_sentence_stands_behind_the_original(
    tmp_path: Path, pasted: list[Picture]
) -> None:
    world = full(tmp_path)
    original = world.captions()[0]
    changed = world.swap(original, "belly", "grey")
    world.sample("swap_original", original, world.truth(original))
    world.sample("swap_changed", changed, world.truth(original))
    world.write()
    material = world.material()
    swap_grid(material, 1, seed=0)
    rows = [material.drawn_rows(name)[0] for name in ("swap_original", "swap_changed")]
    np.testing.assert_array_equal(pasted, material.drawn(np.array(rows)))


def test_descriptions_without_text_stand_as_their_log_mel(tmp_path: Path) -> None:
    world = full(tmp_path, text=False)
    world.write()
    silent = samples_grid(world.material(), tmp_path / "features", 3, 2, seed=0)
    assert silent.shape[2] == 3
    ramp = np.repeat(np.linspace(-2, 2, 40, dtype=np.float16)[None], 5, axis=0)  # (5, 40)
    shown = mel_picture(ramp)
    assert shown.shape == (40, 5, 3)
    assert (shown[0] == 0).all()  # the highest band is the loudest: dark, on top
    assert (shown[-1] == 255).all()


def test_a_text_that_cannot_be_set_stands_as_none_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "_sentence", lambda *_: "赤い鳥")
    shown = []
    for text in (False, True):
        folder = tmp_path / str(text)
        folder.mkdir()
        world = full(folder, text=text)
        world.write()
        shown.append(samples_grid(world.material(), folder / "features", 3, 2, seed=0))
    np.testing.assert_array_equal(shown[0], shown[1])


def test_a_picture_whose_name_cannot_be_set_is_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path, text=False)
    world.write()
    material = world.material()
    material.corpus.images["name"] = "カワセミ.jpg"
    said: list[str] = []

    def noted(_: Sheet, lines: Sequence[Sequence[Word]], *_place: Any) -> None:
        said.append(" ".join(word.text for word in lines[0]))

    monkeypatch.setattr(Sheet, "lines", noted)
    samples_grid(material, tmp_path / "features", 3, 2, seed=0)
    described = [
        int(material.described[material.targets(group)[0]]) + 1
        for group in choose_sentences(material, 3, seed=0)
    ]
    assert said == [f"picture {number} of the corpus, description 1" for number in described]


@pytest.mark.parametrize("split", ["test", "val"])
@pytest.mark.parametrize(("changed", "whose"), [(0, "This corpus has"), (1, "These samples have")])
def test_without_swaps_the_grid_says_whose_they_would_be(
    split: str, changed: int, whose: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path, split=split)
    for utterance in world.captions()[:changed]:
        world.swap(utterance, "crown", "red")
    world.write()
    said: list[str] = []
    text = Sheet.text

    def noted(sheet: Sheet, words: str, *place: Any) -> None:
        said.append(words)
        text(sheet, words, *place)

    monkeypatch.setattr(Sheet, "text", noted)
    picture = swap_grid(world.material(), 4, seed=0)
    assert said == [f"{whose} no swapped sentences."]
    assert (picture != 255).any()
