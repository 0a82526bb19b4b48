"""A loss or a state that stops being finite: told, at once or after a second attempt."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor

from s2igan.errors import UserError

WhenNotFinite = Literal["retry", "stop"]


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


def require_finite_state(state: Mapping[str, object], step: int, fix: str) -> None:
    """Raise where a tensor anywhere in ``state`` holds a value that is not finite.

    Losses tell of the weights before a step, not after it: those are looked at before they are
    written.

    Raises:
        DivergedError: naming the first such tensor by its dotted keys, and the step.
    """
    for name, tensor in _tensors(state):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(f"state {name}", math.nan, step, fix)


def _tensors(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name.removeprefix("."), value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{name}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _tensors(item, f"{name}.{index}")


def fit_past_faults(begin: Callable[[], T], when_not_finite: WhenNotFinite) -> T:
    """Train, and where asked once more from the last checkpoint where a loss was not finite.

    oneDNN's bfloat16 kernels for AMX can multiply what lies behind a matrix's end by zero
    (uxlfoundation/oneDNN issue 5717); where that happens to be no number, neither is the product.
    The weight gradient of a convolution did so once in some thousand steps, and never with the
    same batch again. A training that diverges by itself does so at the same step, and is told then.

    Args:
        begin: makes a training that goes on from the checkpoint where there is one.
        when_not_finite: ``retry`` or ``stop``.

    Returns:
        The training, at its end.

    Raises:
        DivergedError: if there is to be no second attempt, or it comes no further than the first.
    """
    reached = -1
    while True:
        training = begin()
        try:
            training.fit()
        except DivergedError as error:
            if when_not_finite == "stop" or error.step <= reached:
                raise
            reached = error.step
            del training  # or a GPU would have to hold the next one beside it
            sys.stderr.write(f"{error}; trying once more from the last checkpoint\n")
        else:
            return training
