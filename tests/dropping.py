"""Where what is raised in the middle of work, as by a signal, does not come out of it."""

import gc
import sys
from collections.abc import Callable
from itertools import count
from types import FrameType


class Told(BaseException):
    """What is raised; like KeyboardInterrupt no mere Exception."""


def dropped_in(work: Callable[[], object]) -> list[str]:
    """Raise in every Python function that ``work`` calls, one a run, and by C's callbacks as well.

    Returns:
        Names of those from which nothing came out, but for ``__del__`` and what it calls: from
        there Python lets nothing out.
    """
    dropped: list[str] = []
    for number in count():
        raising = _Raising(number)
        gc.disable()  # nor does Python out of what a collection calls
        sys.setprofile(raising)
        try:
            work()
        except Told:
            continue
        finally:
            sys.setprofile(None)
            gc.enable()
        if not raising.raised_in:
            return dropped
        dropped.append(raising.raised_in)
    raise AssertionError("work without end")


class _Raising:
    def __init__(self, calls: int) -> None:
        self.calls_left = calls
        self.raised_in = ""

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or self.raised_in or _is_in_del(frame):
            return
        self.calls_left -= 1
        if self.calls_left < 0:
            self.raised_in = frame.f_code.co_name
            raise Told


def _is_in_del(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None
