"""Zero-shot splits: every class belongs to one split alone."""

from collections.abc import Collection

import numpy as np

from s2igan.errors import UserError

_VALIDATION_STREAM = 1  # apart from whatever else the corpus draws from its seed


def draw_validation(train: Collection[int], count: int, seed: int) -> frozenset[int]:
    """Draw validation classes out of the training classes.

    With the same seed a larger ``count`` keeps the classes of a smaller one.

    Args:
        train: class ids; their order has no say.
        count: how many to draw.
        seed: seed of the corpus.

    Raises:
        UserError: if no training class would be left.
    """
    if count >= len(train) and count > 0:
        raise UserError(
            "corpus.val_classes",
            got=count,
            expected=f"fewer than the {len(train)} training classes",
        )
    order = np.random.default_rng((seed, _VALIDATION_STREAM)).permutation(sorted(train))
    return frozenset(int(class_id) for class_id in order[:count])


def split_of_classes(
    classes: Collection[int], test: Collection[int], val_classes: int, seed: int
) -> dict[int, str]:
    """Return the split of every class: test as listed, val drawn by ``seed``, train otherwise.

    Raises:
        UserError: if no training class would be left.
    """
    val = draw_validation(set(classes) - set(test), val_classes, seed)
    return {
        class_id: "test" if class_id in test else "val" if class_id in val else "train"
        for class_id in sorted(classes)
    }
