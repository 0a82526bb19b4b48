"""When a training writes a checkpoint: by steps, by time, at its end, and when told to leave; and
which one it goes on from.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from s2igan.engine.curves import Curves
from s2igan.engine.distributed import barrier, of_each, on_any
from s2igan.engine.divergence import DivergedError, require_finite_state
from s2igan.engine.session import Session
from s2igan.errors import UserError


def last_state(session: Session) -> dict[str, Any] | None:
    """Return the state to go on from, of one step on all processes; None where there is none.

    Raises:
        UserError: if they find different ones, or one cannot be read.
    """
    saved = session.checkpoints.load()
    steps = of_each(0 if saved is None else saved["step"])
    if len(set(steps)) > 1:
        raise UserError(
            "checkpoints",
            got=f"steps {', '.join(map(str, steps))} as the last ones that the processes find",
            expected="the same files on all machines",
            fix="put the repository on a file system that all of them share",
        )
    return saved


class Keeper:
    """Keeps the checkpoints of one training; asked after every step, by all of its processes.

    They agree on when to save and when to leave, since clocks differ and signals arrive in
    different steps. All of them look at the state, and the first one writes it.

    Args:
        session: where checkpoints go, how often at least, and who tells the stage to end.
        curves: losses that have to be finite, as the state has.
        state: returns everything that going on needs, ``step`` among it.
        every: steps between two checkpoints.
        steps: the last step, which is kept too: what is written after it may fail.
    """

    def __init__(
        self,
        session: Session,
        curves: Curves,
        *,
        state: Callable[[], Mapping[str, Any]],
        every: int,
        steps: int,
    ) -> None:
        self._session, self._curves, self._state = session, curves, state
        self._every, self._steps = every, steps
        self._saved_at = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let signals wait for :meth:`after` inside the block, which trains."""
        self._saved_at = time.monotonic()
        with self._session.interrupts.deferred():
            yield

    def after(self, step: int) -> None:
        """Write a checkpoint where one is due; leave where the stage is told to.

        Raises:
            DivergedError: if one is due and the state is not finite; it is not written.
            SystemExit: where the stage is told to end; ``KeyboardInterrupt`` by Ctrl-C.
        """
        late = time.monotonic() - self._saved_at >= self._session.checkpoint_seconds
        stops, late = on_any(self._session.interrupts.stop_requested(), late)
        if stops:
            said = f"stopped after step {step}; {self._last_words(step)}"
            barrier()  # launchers kill whoever still writes once another one has ended
            self._session.interrupts.leave(said)
        if late or step % self._every == 0 or step == self._steps:
            self._save(step)

    def _last_words(self, step: int) -> str:
        try:
            self._save(step)
        except DivergedError as error:
            sys.stderr.write(f"{error}\n")
            return "the next run goes on from an earlier checkpoint"
        return "the next run goes on from here"

    def _save(self, step: int) -> None:
        self._curves.check(step)
        state = self._state()
        require_finite_state(state, step, self._curves.fix)
        self._session.checkpoints.save(state)
        self._saved_at = time.monotonic()
