"""A loss that stops being finite: told, but only after a second attempt."""

import math
import sys
from collections.abc import Callable

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.errors import UserError


class DivergedError(UserError):
    """A loss is not a finite number.

    Args:
        loss: which.
        value: what it is.
        step: when it was noticed.
        fix: what the user can do.
    """

    def __init__(self, loss: str, value: float, step: int, fix: str) -> None:
        super().__init__(f"{loss} at step {step}", got=value, expected="a finite number", fix=fix)
        self.step = step


def require_finite(loss: str, value: float, step: int, fix: str) -> None:
    """Raise where ``value`` is not a finite number.

    Raises:
        DivergedError: naming loss and step.
    """
    if not math.isfinite(value):
        raise DivergedError(loss, value, step, fix)


def fit_past_faults(fit: Callable[[], None], checkpoints: CheckpointStore) -> None:
    """Train, and train again from the last checkpoint where a loss was not finite.

    Crowded virtual machines have given NaN for a batch that they computed rightly a minute later.
    A training that diverges by itself does so again at the same step, and is told then.

    Args:
        fit: trains to the end, on from the checkpoint where there is one.
        checkpoints: what it goes on from.

    Raises:
        DivergedError: if there is no checkpoint yet, or the second attempt comes no further.
    """
    reached = -1
    while True:
        try:
            fit()
        except DivergedError as error:
            if error.step <= reached or checkpoints.load() is None:
                raise
            reached = error.step
            sys.stderr.write(f"{error}; trying once more from the last checkpoint\n")
        else:
            return
