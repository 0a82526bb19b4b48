"""Zero-shot splits: every class belongs to one split alone."""

from collections.abc import Collection

import numpy as np

from s2igan.errors import UserError

_VALIDATION_STREAM = 1  # apart from whatever else the corpus draws from its seed
_TEST_STREAM = 2


def draw_test(classes: Collection[int], share: float, seed: int) -> frozenset[int]:
    """Draw test classes where nobody has named any: at least one, and never all.

    ``share`` of them is rounded to whole classes.

    What is drawn depends on the seed and the classes alone, so validation classes, which come out
    of the rest, change nothing. With the same seed a larger ``share`` keeps the classes of a
    smaller one.

    Raises:
        UserError: if there are fewer than two classes.
    """
    classes = set(classes)
    if len(classes) < 2:
        raise UserError(
            "classes of the corpus", got=len(classes), expected="at least 2, to hold some out"
        )
    count = min(max(round(share * len(classes)), 1), len(classes) - 1)
    return _draw(classes, count, (seed, _TEST_STREAM))


def split_of_classes(
    classes: Collection[int], test: Collection[int], val_classes: int, seed: int
) -> dict[int, str]:
    """Return the split of every class: test as listed, val drawn by ``seed``, train otherwise.

    With the same seed a larger ``val_classes`` keeps the classes of a smaller one.

    Raises:
        UserError: if no training class would be left.
    """
    train = set(classes) - set(test)
    if val_classes and val_classes >= len(train):
        raise UserError(
            "corpus.val_classes",
            got=val_classes,
            expected=f"fewer than the {len(train)} training classes",
        )
    val = _draw(train, val_classes, (seed, _VALIDATION_STREAM))
    return {
        class_id: "test" if class_id in test else "val" if class_id in val else "train"
        for class_id in sorted(classes)
    }


def _draw(classes: Collection[int], count: int, seed: tuple[int, int]) -> frozenset[int]:
    order = np.random.default_rng(seed).permutation(sorted(classes))
    return frozenset(int(class_id) for class_id in order[:count])
