from collections.abc import Collection

import pytest

from s2igan.corpora.splits import draw_test, split_of_classes
from s2igan.errors import UserError

TRAIN = range(20, 102)


def draw_validation(train: Collection[int], count: int, seed: int) -> set[int]:
    splits = split_of_classes(train, (), count, seed)
    return {class_id for class_id, split in splits.items() if split == "val"}


def test_every_class_has_one_split() -> None:
    splits = split_of_classes(range(102), range(20), val_classes=12, seed=3)
    assert list(splits) == list(range(102))
    assert [splits[class_id] for class_id in range(20)] == ["test"] * 20
    assert sum(split == "val" for split in splits.values()) == 12
    assert sum(split == "train" for split in splits.values()) == 70


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    assert draw_validation(TRAIN, 12, seed=3) == draw_validation([*TRAIN][::-1], 12, seed=3)
    assert draw_validation(TRAIN, 12, seed=3) != draw_validation(TRAIN, 12, seed=4)


def test_more_validation_classes_keep_the_fewer() -> None:
    assert draw_validation(TRAIN, 5, seed=0) < draw_validation(TRAIN, 12, seed=0) < {*TRAIN}


def test_no_validation_classes_is_what_the_paper_does() -> None:
    assert draw_validation(TRAIN, 0, seed=0) == set()


def test_training_classes_must_be_left() -> None:
    assert len(draw_validation({1, 2}, 1, seed=0)) == 1
    with pytest.raises(UserError, match="got 2; expected fewer than the 2 training classes"):
        draw_validation({1, 2}, 2, seed=0)


def test_every_training_class_is_drawn_about_equally_often() -> None:
    drawn = [draw_validation(range(4), 1, seed) for seed in range(400)]
    for class_id in range(4):
        share = sum(class_id in val for val in drawn) / 400
        assert 0.17 < share < 0.33  # four standard deviations of a share of 400 draws


def test_test_classes_are_the_asked_share_but_at_least_one_and_never_all() -> None:
    assert len(draw_test(range(50), 0.2, seed=0)) == 10
    assert len(draw_test(range(50), 0.001, seed=0)) == 1
    assert len(draw_test(range(3), 0.999, seed=0)) == 2
    assert len(draw_test(range(2), 0.5, seed=0)) == 1
    with pytest.raises(UserError, match="got 1; expected at least 2"):
        draw_test([7], 0.5, seed=0)


def test_test_classes_follow_the_seed_and_not_the_order() -> None:
    assert draw_test(TRAIN, 0.2, seed=3) == draw_test([*TRAIN][::-1], 0.2, seed=3)
    assert draw_test(TRAIN, 0.2, seed=3) != draw_test(TRAIN, 0.2, seed=4)
    assert draw_test(TRAIN, 0.1, seed=0) < draw_test(TRAIN, 0.3, seed=0)


def test_a_class_that_is_named_twice_is_one_class() -> None:
    for seed in range(9):
        assert draw_test([7, 7, 7, 8], 0.7, seed) == draw_test([7, 8], 0.7, seed)
        assert draw_validation([7, 7, 8, 9], 1, seed) == draw_validation([7, 8, 9], 1, seed)
    with pytest.raises(UserError, match="got 1; expected at least 2"):
        draw_test([7, 7], 0.5, seed=0)
    with pytest.raises(UserError, match="fewer than the 1 training classes"):
        draw_validation([7, 7], 1, seed=0)


def test_validation_is_drawn_apart_from_test() -> None:
    # The same stream for both would make the first validation classes the last test classes.
    test = draw_test(range(40), 0.25, seed=0)
    assert test != draw_validation(range(40), 10, seed=0)
    few = split_of_classes(range(40), test, 3, seed=0)
    many = split_of_classes(range(40), test, 9, seed=0)
    assert {c for c in few if few[c] == "test"} == {c for c in many if many[c] == "test"} == test
