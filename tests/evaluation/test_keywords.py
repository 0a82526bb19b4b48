from pathlib import Path

import numpy as np
import pytest

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.evaluation.figures import Resampling, means
from s2igan.evaluation.keywords import Reading, keyword_figures, read
from s2igan.evaluation.material import Attributes
from tests.evaluation.world import World, values

RESAMPLING = Resampling(seed=0, permutations=20, draws=100)
CROWN, BELLY, SIZE = (ATTRIBUTES.index(name) for name in ("crown", "belly", "size"))


def mentions(*rows: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.array([[column in row for column in range(8)] for row in rows])


def test_only_what_a_caption_mentions_counts() -> None:
    reading = Reading(
        seen=np.stack([values(crown=1, belly=2), values(crown=3, size=1), values(crown=5)]),
        truth=np.stack([values(crown=1, belly=7), values(crown=3, size=1), values(crown=4)]),
        mentions=mentions((CROWN, BELLY), (CROWN, SIZE), (SIZE,)),
        classes=np.array([0, 1, 2]),
    )
    # Mentioned and seen: crown 2 of 2, belly 0 of 1, size 2 of 2; the third crown is not mentioned.
    expected = {"crown": 1.0, "belly": 0.0, "size": 1.0, "colours": 2 / 3, "all": 4 / 5}
    for group, value in expected.items():
        assert reading.figure(group, RESAMPLING, [])["value"] == pytest.approx(value)
    assert reading.figure("tail", RESAMPLING, []) == {"absent": ["no caption mentions it"]}
    ((_, mean),) = means({"all": reading.figure("all", RESAMPLING, [])})
    assert (mean.sums.sums.tolist(), mean.sums.counts.tolist()) == ([1, 2, 1], [2, 2, 1])


def test_chance_reads_pictures_against_other_captions() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (4000, 8))
    reading = Reading(truth, truth, np.ones((4000, 8), bool), np.arange(4000) % 10)
    figure = reading.figure("all", RESAMPLING, [])
    assert figure["value"] == 1.0
    assert figure["chance"] == pytest.approx(0.5, abs=0.01)
    other = reading.figure("all", Resampling(seed=1, permutations=20, draws=100), [])
    assert other["chance"] != figure["chance"]


def test_chance_deals_out_mentions_and_values_together() -> None:
    # Every caption tells of the crown or of the belly; the pictures show crowns alone.
    reading = Reading(
        seen=np.stack([values(crown=1, belly=1)] * 4),
        truth=np.stack([values(crown=1, belly=2)] * 2 + [values(crown=2, belly=1)] * 2),
        mentions=mentions((CROWN,), (CROWN,), (BELLY,), (CROWN, BELLY)),
        classes=np.arange(4),
    )
    # Whatever the picture, 4 of the 5 mentions hold: all but the last caption's crown.
    assert reading.figure("all", RESAMPLING, [])["chance"] == pytest.approx(4 / 5)


def test_a_picture_is_read_against_the_caption_that_it_is_judged_by(tmp_path: Path) -> None:
    world = World(tmp_path)
    target, spoken = world.captions()[:2]  # of one picture: crown and belly, wing and size
    world.sample("mismatched", spoken, world.truth(target), target=target)
    world.write()
    judged = world.judged()
    rows = np.array([0])
    seen = judged.drawn.take(rows).readings()
    reading = read(judged, Attributes.of(judged.material.corpus), seen, rows)
    np.testing.assert_array_equal(reading.mentions, mentions((CROWN, BELLY)))


def test_drawn_pictures_stand_beside_the_real_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    shown = world.captions()
    for place, utterance in enumerate(shown):
        truth = world.truth(utterance)
        if place % 4 == 0:  # mentions crown and belly: the crown is drawn wrong, the belly right
            truth[CROWN] = (truth[CROWN] + 1) % 8
        world.sample("test", utterance, truth)
    world.write()
    judged = world.judged()
    figures = keyword_figures(judged, Attributes.of(judged.material.corpus), RESAMPLING)
    generated, real = figures["generated"], figures["real"]
    assert isinstance(generated, dict)
    assert isinstance(real, dict)
    assert generated["crown"]["value"] == pytest.approx(0.5)
    assert generated["belly"]["value"] == 1.0
    # 24 captions mention two attributes each, of which size is no colour; six crowns are wrong.
    assert generated["all"]["value"] == pytest.approx(1 - 6 / 48)
    assert generated["colours"]["value"] == pytest.approx(1 - 6 / 36)
    assert generated["all"]["low"] <= generated["all"]["value"] <= generated["all"]["high"]
    assert {name: real[name]["value"] for name in ("all", "colours", "crown", "size")} == {
        "all": 1.0,
        "colours": 1.0,
        "crown": 1.0,
        "size": 1.0,
    }
    assert generated["tail"] == {"absent": ["no caption mentions it"]}
