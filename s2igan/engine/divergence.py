"""A loss that stops being finite: told, but only after a second attempt."""

import math
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

from s2igan.errors import UserError


class Training(Protocol):
    """Something that trains to its end."""

    def fit(self) -> None:
        """Train, on from the checkpoint where there is one."""
        ...


T = TypeVar("T", bound=Training)


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


def fit_past_faults(begin: Callable[[], T]) -> T:
    """Train, and once more from the last checkpoint where a loss was not finite.

    oneDNN's bfloat16 kernels for AMX can multiply what lies behind a matrix's end by zero
    (uxlfoundation/oneDNN issue 5717); where that happens to be no number, neither is the product.
    The weight gradient of a convolution did so once in some thousand steps, and never with the
    same batch again. A training that diverges by itself does so at the same step, and is told then.

    Args:
        begin: makes a training that goes on from the checkpoint where there is one.

    Returns:
        The training, at its end.

    Raises:
        DivergedError: if the second attempt comes no further than the first.
    """
    reached = -1
    while True:
        training = begin()
        try:
            training.fit()
        except DivergedError as error:
            if error.step <= reached:
                raise
            reached = error.step
            sys.stderr.write(f"{error}; trying once more from the last checkpoint\n")
        else:
            return training
