from pathlib import Path

import numpy as np
import pytest

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.errors import UserError
from s2igan.evaluation.figures import Resampling, means
from s2igan.evaluation.material import Attributes
from s2igan.evaluation.swap import Pairs, read_pairs, swap_figures, swap_rows
from tests.evaluation.world import World, colour, values

RESAMPLING = Resampling(seed=0, permutations=20, draws=100)
CROWN, BELLY, WING, TAIL, SIZE = (
    ATTRIBUTES.index(name) for name in ("crown", "belly", "wing", "tail", "size")
)


def hand_made() -> Pairs:
    """Four pairs that change the crown from 1 to 2 and mention crown, belly and size."""
    before = np.stack(
        [
            values(crown=1, belly=3, size=1),
            values(crown=1, belly=3, size=1),
            values(crown=2, belly=3, size=1),
            values(crown=0, belly=3, size=1),
        ]
    )
    after = np.stack(
        [
            values(crown=2, belly=3, size=1),  # follows, all stays
            values(crown=2, belly=4, size=1),  # follows, the belly changes
            values(
                crown=2, belly=3, size=1, tail=5
            ),  # showed it before; an unmentioned one changes
            values(crown=3, belly=4, size=0),  # another colour than asked for, both others change
        ]
    )
    told = np.zeros((4, 8), bool)
    told[:, [CROWN, BELLY, SIZE]] = True
    ones = np.ones(4, np.int64)
    return Pairs(before, after, CROWN * ones, ones, 2 * ones, told, np.arange(4))


def test_swap_figures_by_hand() -> None:
    pairs = hand_made()
    follows = pairs.follows(RESAMPLING, [])
    assert (follows["value"], follows["chance"]) == (0.75, 0.25)
    assert pairs.starts_right(RESAMPLING, [])["value"] == 0.5
    assert pairs.stays(True, RESAMPLING, [])["value"] == pytest.approx(5 / 8)
    assert pairs.stays(False, RESAMPLING, [])["value"] == pytest.approx(24 / 28)
    assert pairs.all_stay(RESAMPLING, [])["value"] == 0.5


def test_every_pair_counts_for_its_own_class() -> None:
    pairs = hand_made()
    figures = {
        "follows": pairs.follows(RESAMPLING, []),
        "mentioned": pairs.stays(True, RESAMPLING, []),
        "others": pairs.stays(False, RESAMPLING, []),
    }
    sums = {name: mean.sums.sums.tolist() for name, mean in means(figures)}
    assert sums == {
        "follows": [1, 1, 1, 0],
        "mentioned": [2, 1, 2, 0],
        "others": [7, 6, 6, 5],
    }


def test_chance_of_staying_permutes_the_second_pictures() -> None:
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 4, (3000, 8))
    zeros = np.zeros(3000, np.int64)
    pairs = Pairs(shown, shown, zeros, zeros, zeros, np.ones((3000, 8), bool), zeros)
    figure = pairs.stays(True, RESAMPLING, [])
    other = pairs.stays(True, Resampling(seed=1, permutations=20, draws=100), [])
    assert other["chance"] != figure["chance"]
    assert figure["value"] == 1.0
    assert figure["chance"] == pytest.approx(0.25, abs=0.02)


def planted(folder: Path, pairs: int = 6) -> World:
    """Two of four changed sentences are followed; all others stay, but for one tail."""
    world = World(folder)
    originals = world.captions()[:pairs]
    changed = []
    for utterance in originals:
        attribute = "crown" if utterance % 2 == 0 else "wing"
        old = int(world.truth(utterance)[ATTRIBUTES.index(attribute)])
        changed.append(world.swap(utterance, attribute, "grey" if old != colour("grey") else "red"))
        world.sample("test", utterance, world.truth(utterance))
    for utterance in originals:
        world.sample("swap_original", utterance, world.truth(utterance))
    for place, utterance in enumerate(changed):
        row = world.descriptions[utterance]
        shows = world.truth(utterance)
        if place % 4 < 2:
            shows[ATTRIBUTES.index(row["swap_attribute"])] = colour(row["swap_value"])
        if place == 0:
            shows[TAIL] = 7 - shows[TAIL]  # of which no sentence speaks
        world.sample("swap_changed", utterance, shows)
    return world


def test_planted_swaps_are_read(tmp_path: Path) -> None:
    world = planted(tmp_path)
    world.write()
    judged = world.judged()
    figures = swap_figures(judged, Attributes.of(judged.material.corpus), RESAMPLING)
    follows, stays = figures["follows"], figures["others_stay"]
    assert isinstance(follows, dict)
    assert isinstance(stays, dict)
    assert follows["all"]["value"] == pytest.approx(4 / 6)
    assert follows["all"]["chance"] == 0.0
    assert set(follows) == {"all", "crown", "wing"}
    assert follows["crown"]["value"] == pytest.approx(2 / 3)
    assert all("3 pairs" in follows[name]["protocol"] for name in ("crown", "wing"))
    assert stays["mentioned"]["value"] == 1.0
    assert stays["all"]["value"] == pytest.approx(41 / 42)  # seven others of six pairs
    starts = figures["starts_right"]
    assert isinstance(starts, dict)
    assert starts["value"] == 1.0


def test_species_and_mentions_of_a_pair_are_its_originals(tmp_path: Path) -> None:
    world = planted(tmp_path, pairs=12)
    for row in world.descriptions[-12:]:
        row["mentions"] = []
    world.write()
    judged = world.judged()
    pairs = read_pairs(judged, Attributes.of(judged.material.corpus))
    np.testing.assert_array_equal(pairs.classes, np.repeat([0, 1], 6))
    assert (pairs.mentions.sum(axis=1) == 2).all()


def test_pairs_out_of_step_are_refused(tmp_path: Path) -> None:
    world = planted(tmp_path)
    first = next(row for row, one in enumerate(world.samples) if one["set"] == "swap_original")
    second = first + 1
    world.samples[first], world.samples[second] = world.samples[second], world.samples[first]
    world.write()
    judged = world.judged()
    with pytest.raises(UserError, match="do not belong together"):
        swap_figures(judged, Attributes.of(judged.material.corpus), RESAMPLING)


def test_pairs_of_two_noises_are_refused(tmp_path: Path) -> None:
    world = planted(tmp_path)
    world.samples[-1]["noise"] = 5
    world.write()
    told = "got noise 0 in row 11 of their table, 5 in row 17, the same sentence changed; expected"
    with pytest.raises(UserError, match=told):
        swap_rows(world.material())


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("always", "with the same noise"),
        ("of others", "with noise of which nothing is told"),
        ("never", "with noise of which nothing is told"),
    ],
)
def test_pairs_are_said_to_share_their_noise_where_the_table_names_it(
    named: str, told: str, tmp_path: Path
) -> None:
    world = planted(tmp_path)
    for sample in world.samples if named == "never" else []:
        del sample["noise"]
    for sample in world.samples if named == "of others" else []:
        if sample["set"] in ("swap_original", "swap_changed"):
            sample["noise"] = None
    world.write()
    judged = world.judged()
    figures = swap_figures(judged, Attributes.of(judged.material.corpus), RESAMPLING)
    starts = figures["starts_right"]
    assert isinstance(starts, dict)
    assert starts["protocol"][1] == (
        f"6 test sentences, spoken again with one colour word changed, drawn {told}"
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (0, "no sentence of the corpus was changed and spoken again"),
        (1, "no picture of these samples was drawn from a changed sentence"),
    ],
)
def test_without_swapped_sentences_the_group_is_absent_and_says_whose_they_would_be(
    changed: int, reason: str, tmp_path: Path
) -> None:
    world = planted(tmp_path, pairs=0)
    for utterance in world.captions():
        world.sample("test", utterance, world.truth(utterance))
    for utterance in world.captions()[:changed]:
        world.swap(utterance, "crown", "red")
    world.write()
    judged = world.judged()
    figures = swap_figures(judged, Attributes.of(judged.material.corpus), RESAMPLING)
    assert figures == {"absent": [reason]}
