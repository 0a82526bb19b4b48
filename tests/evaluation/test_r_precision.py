from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.evaluation.judge import Seen
from s2igan.evaluation.material import Attributes
from s2igan.evaluation.r_precision import (
    Critic,
    Reader,
    choices,
    cosine_scorer,
    r_precision_figures,
)
from s2igan.metrics.retrieval import true_first
from tests.evaluation.world import World, embed_truth, full, settings

CROWN, BELLY, SIZE = (ATTRIBUTES.index(name) for name in ("crown", "belly", "size"))
Floats = npt.NDArray[np.float64]


def no_critic() -> Critic:
    raise AssertionError("an attribute-reading judge was there")


def test_the_drawn_descriptions_are_of_other_classes_and_do_not_repeat() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 6, 500)
    pool = np.sort(rng.permutation(500)[:300])
    true = rng.permutation(pool)[:200]
    found = [np.concatenate([part[1] for part in choices(true, pool, classes, 40, 3)])]
    drawn = found[0]
    assert drawn.shape == (200, 41)
    np.testing.assert_array_equal(drawn[:, 0], true)
    for row in drawn:
        assert len(set(row.tolist())) == 41
        assert np.isin(row, pool).all()
        assert not (classes[row[1:]] == classes[row[0]]).any()
    # Every other description is about equally likely.
    counts = np.bincount(drawn[:, 1:].reshape(-1), minlength=500)[pool]
    assert counts.min() > 10
    again = np.concatenate([part[1] for part in choices(true, pool, classes, 40, 3)])
    np.testing.assert_array_equal(drawn, again)
    other = np.concatenate([part[1] for part in choices(true, pool, classes, 40, 4)])
    assert (drawn != other).any()


def test_all_others_can_be_drawn() -> None:
    classes = np.array([0, 0, 1, 1, 2, 2])
    ((_, drawn),) = choices(np.arange(6), np.arange(6), classes, 4, 0)
    for row, number in zip(drawn, classes, strict=True):
        assert sorted(row[1:].tolist()) == np.flatnonzero(classes != number).tolist()


def random_attributes(rng: np.random.Generator, pictures: int, utterances: int) -> Attributes:
    truth = np.stack([rng.integers(0, len(VALUES[name]), pictures) for name in ATTRIBUTES], axis=1)
    mentions = rng.random((utterances, 8)) < 0.4
    mentions[:, 0] = True
    return Attributes(truth, mentions)


def random_seen(rng: np.random.Generator, pictures: int) -> Seen:
    logits = {
        name: rng.normal(size=(pictures, len(VALUES[name]))).astype(np.float32)
        for name in ATTRIBUTES
    }
    return Seen(np.zeros((pictures, 1), np.float32), logits)


def test_the_readers_score_is_the_mean_log_probability_of_what_is_mentioned() -> None:
    rng = np.random.default_rng(1)
    attributes, seen = random_attributes(rng, 7, 30), random_seen(rng, 5)
    described = rng.integers(0, 7, 30)
    score = Reader(attributes, described, np.arange(30)).scorer(seen)
    descriptions = rng.integers(0, 30, (5, 4))
    pictures = np.arange(5)[:, None]
    got = np.concatenate([score(pictures, descriptions), score(4 - pictures, descriptions)], 1)
    other = score(np.hstack([pictures, 4 - pictures]), descriptions)  # (5, 2, 4)
    np.testing.assert_allclose(got, other, rtol=1e-12)
    got = got[:, 0]
    assert seen.logits is not None
    for picture in range(5):
        for column, utterance in enumerate(descriptions[picture].tolist()):
            logs = []
            for place, name in enumerate(ATTRIBUTES):
                if attributes.mentions[utterance, place]:
                    values = seen.logits[name][picture].astype(np.float64)
                    share = np.exp(values) / np.exp(values).sum()
                    logs.append(np.log(share[attributes.truth[described[utterance], place]]))
            assert got[picture, column] == pytest.approx(np.mean(logs), rel=1e-9)


def test_descriptions_that_say_the_same_tie_exactly() -> None:
    rng = np.random.default_rng(2)
    attributes, seen = random_attributes(rng, 4, 4), random_seen(rng, 3)
    attributes.mentions[:] = attributes.mentions[0]
    attributes.truth[1] = attributes.truth[0]  # another picture, the same words
    score = Reader(attributes, np.arange(4), np.arange(4)).scorer(seen)
    got = score(np.array([[0, 1], [1, 2], [2, 0]]), np.tile(np.arange(4), (3, 1)))
    np.testing.assert_array_equal(got[..., 0], got[..., 1])


def brute_force(scores: Floats) -> float:
    """Sort the candidates of each picture in every random order and count true ones in front."""
    rng = np.random.default_rng(0)
    hits = []
    for row in scores:
        for _ in range(400):
            mixed = rng.permutation(len(row)).tolist()
            hits.append(max(mixed, key=lambda place: row[place]) == 0)
    return float(np.mean(hits))


def test_ties_count_as_the_chance_of_a_draw() -> None:
    scores = np.array([[2.0, 1, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1]])
    np.testing.assert_allclose(true_first(scores), [1, 1 / 2, 0, 1 / 3])
    many = np.random.default_rng(3).integers(0, 4, (60, 5)).astype(np.float64)
    assert true_first(many).mean() == pytest.approx(brute_force(many), abs=0.01)
    with pytest.raises(ValueError, match="true description is not a number"):
        true_first(np.array([[1.0, 0.0], [np.nan, 0.0]]))


def world_of(folder: Path, wrong: Callable[[int], bool] = lambda _: False) -> World:
    """Captions of four species; some pictures show the values of another one."""
    world = World(folder)
    shown = world.captions()
    for place, utterance in enumerate(shown):
        other = shown[(place + 6) % len(shown)]  # six captions further is another species
        world.sample("test", utterance, world.truth(other if wrong(place) else utterance))
    return world


def figures_of(world: World, **changes: Any) -> dict[str, Any]:
    world.write()
    judged = world.judged()
    attributes = Attributes.of(judged.material.corpus)
    return r_precision_figures(judged, attributes, no_critic, settings(**changes))


def test_right_pictures_find_their_descriptions(tmp_path: Path) -> None:
    figures = figures_of(world_of(tmp_path))
    assert list(figures) == ["r_precision"]
    for name in ("R-precision", "real"):
        figure = figures["r_precision"][name]
        # Descriptions of other species that hold of the picture as well may tie.
        assert 0.5 < figure["value"] <= 1
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["protocol"][0].startswith("24 ")
        assert figure["protocol"][1].startswith("the true description before 9 of another species")
        assert "judge: planted, 50 features" in figure["protocol"]
    assert figures["r_precision"]["R-precision"]["value"] == figures["r_precision"]["real"]["value"]


def test_the_figure_and_its_chance_agree_with_their_definition(tmp_path: Path) -> None:
    world = world_of(tmp_path, wrong=lambda place: place % 5 == 0)
    figures = figures_of(world, chance_permutations=200)
    judged = world.judged()
    material, logits = judged.material, judged.drawn.logits
    assert logits is not None
    true = material.targets(material.drawn_captions)
    chosen = np.concatenate(
        [part[1] for part in choices(true, material.captions(), material.classes, 9, 3)]
    )

    def score(picture: int, utterance: int) -> float:
        logs = []
        for name in world.descriptions[utterance]["mentions"]:
            row = logits[name][picture].astype(np.float64)
            value = world.truth(utterance)[ATTRIBUTES.index(name)]
            logs.append(row[value] - np.log(np.exp(row).sum()))
        return round(float(np.mean(logs)), 9)

    def hit(picture: int, descriptions: list[int]) -> float:
        scores = [score(picture, utterance) for utterance in descriptions]
        best = [place for place, value in enumerate(scores) if value == max(scores)]
        return 1 / len(best) if 0 in best else 0

    hits = [[hit(picture, row) for picture in range(len(chosen))] for row in chosen.tolist()]
    figure = figures["r_precision"]["R-precision"]
    assert 0 < figure["value"] < 1
    assert figure["value"] == pytest.approx(np.mean(np.diag(hits)))
    # Over all permutations a picture meets every description as often.
    assert figure["chance"] == pytest.approx(np.mean(hits), abs=0.02)
    # The rivals are of other species than the description, so a picture that shows the species of
    # a description not its own finds it, too: one in ten would be too low a level.
    assert figure["chance"] > 0.15
    assert "chance: descriptions permuted over the pictures, mean of 200" in figure["protocol"]


def test_pictures_of_another_species_miss(tmp_path: Path) -> None:
    figures = figures_of(world_of(tmp_path, wrong=lambda place: place % 2 == 0))
    right, real = (figures["r_precision"][name]["value"] for name in ("R-precision", "real"))
    # Even captions mention the crown, which no two species share.
    assert right == pytest.approx(real / 2, abs=0.15)


def test_fewer_descriptions_than_asked_for_are_told(tmp_path: Path) -> None:
    figures = figures_of(world_of(tmp_path), mismatched_descriptions=99)
    figure = figures["r_precision"]["R-precision"]
    # 24 captions, 6 of each species
    assert figure["protocol"][1].startswith("the true description before 18 ")


def test_without_a_reader_the_critic_says_that_it_is_one(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    judged = world.judged()
    speech = np.load(tmp_path / "embeddings" / "speech.npy")
    looked: list[int] = []

    def embed(images: torch.Tensor) -> torch.Tensor:
        looked.append(len(images))
        return embed_truth(images)

    critic = Critic(embed, speech, torch.device("cpu"), batch_size=5)
    figures: dict[str, Any] = r_precision_figures(judged, None, lambda: critic, settings())
    assert list(figures) == ["r_precision", "r_precision_by_critic"]
    assert list(figures["r_precision"]) == ["absent"]
    assert max(looked) == 5
    assert sum(looked) == 24 + 12  # drawn pictures, and each real one once
    for name in ("R-precision", "real"):
        figure = figures["r_precision_by_critic"][name]
        assert any("no independent judge" in line for line in figure["protocol"])
        assert not any(line.startswith("judge: ") for line in figure["protocol"])
    # The speech of the first and of the last species sounds alike: theirs tie.
    material, config = judged.material, settings()
    rows = material.drawn_captions
    true, values = material.targets(rows), []
    for _, chosen in choices(true, material.captions(), material.classes, 9, config.seed):
        for row in chosen:
            ties = int((material.classes[row] % 3 == material.classes[row[0]] % 3).sum())
            values.append(1 / ties)
    assert figures["r_precision_by_critic"]["R-precision"]["value"] == pytest.approx(
        np.mean(values)
    )


def test_the_critic_sees_pictures_between_zero_and_one() -> None:
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    pictures[1, ..., 0] = 255
    critic = Critic(lambda x: x[:, :, 0, 0], np.ones((1, 3)), torch.device("cpu"), batch_size=8)
    seen = critic.look(lambda rows: pictures[rows], np.array([1, 0]))
    assert seen.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_the_critics_score_is_the_cosine() -> None:
    rng = np.random.default_rng(4)
    pictures, speech = rng.normal(size=(3, 8)), rng.normal(size=(20, 8))
    descriptions, chosen = rng.integers(0, 20, (2, 5)), np.array([[1, 0], [2, 2]])
    got = cosine_scorer(pictures.astype(np.float32), speech)(chosen, descriptions)
    expected = [
        [[pictures[p] @ speech[u] for u in descriptions[i]] for p in chosen[i]] for i in range(2)
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_descriptions_that_say_nothing_take_no_part(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    for utterance in world.captions()[::6]:
        world.descriptions[utterance]["mentions"] = []
    figures = figures_of(world, mismatched_descriptions=99)["r_precision"]
    for name in ("R-precision", "real"):
        assert figures[name]["protocol"][0].startswith("20 ")
        before = "the true description before 15 "  # five of each species are left
        assert figures[name]["protocol"][1].startswith(before)


def test_changed_sentences_take_no_part(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    captions = world.captions()
    world.swap(captions[0], "belly", "grey")
    world.write()
    assert world.material().captions().tolist() == captions


def test_one_class_alone_has_no_figure(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    for row in world.images:
        if row["split"] != "train":
            row["class_id"] = 0
    figures = figures_of(world)
    assert figures == {"r_precision": {"absent": ["no test description is of another class"]}}
