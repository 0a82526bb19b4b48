"""Signals that tell a stage to end: where it stands, or after the step that is under way."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Never, Self

ENDS: Final = tuple(
    signal.Signals[name] for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)
"""What tells a process to end; Windows, where a model can be spoken to, has no SIGHUP."""

LAUNCHED: Final = "S2IGAN_LAUNCHED"
"""The variable that tells a process that a stage started it, not torchrun or Slurm."""

_SAME_S = 1.0


@contextmanager
def handling_ends(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle :data:`ENDS` inside the block, but for those that whoever started us wants ignored."""
    before = {number: signal.getsignal(number) for number in ENDS}
    heard = [number for number in ENDS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


class Interrupts:
    """How a stage hears that it is to end.

    A signal raises where it arrives: ``KeyboardInterrupt`` for SIGINT, ``SystemExit`` with 128 plus
    its number for the others, so that outputs, locks and runs are closed. Inside :meth:`deferred`
    the first one is only remembered. One that comes seconds later raises; sooner it is taken for
    the same, which launchers and schedulers pass on to a process that has been told already.
    """

    def __init__(self) -> None:
        self._deferring = False
        self._received: int | None = None
        self._received_at = 0.0
        # DVC that is killed leaves its stage behind, whose outputs it would never record, and so
        # does a stage its other processes, but on Linux.
        started = os.environ.get("DVC_STAGE") or os.environ.get(LAUNCHED)
        self._parent = os.getppid() if started else None

    @contextmanager
    def handled(self) -> Iterator[Self]:
        """Listen inside the block."""
        with handling_ends(self._receive):
            yield self

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block look for itself, at :meth:`stop_requested`, whether it is to end."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._received is not None:
            raise _end(self._received)

    def stop_requested(self) -> bool:
        """Tell whether this process has been told to end."""
        if self._parent is not None and os.getppid() != self._parent:
            self._received = signal.SIGTERM
        return self._received is not None

    def leave(self, said: str) -> Never:
        """Say on stderr what was kept, and :meth:`end`."""
        sys.stderr.write(f"{said}\n")
        self.end()

    def end(self) -> Never:
        """End as the signal would have."""
        raise _end(signal.SIGTERM if self._received is None else self._received)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._deferring and self._received is None:
            self._received, self._received_at = number, time.monotonic()
        elif not self._deferring or time.monotonic() - self._received_at > _SAME_S:
            raise _end(number)


def _end(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
