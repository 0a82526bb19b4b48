"""How often and how long to wait for a server."""

import sys
import time

from s2igan.corpora.fetching.outcomes import BrokenOffError, RefusedError, UnreachableError

ATTEMPTS = 5
"""Attempts in a row that bring nothing new before a server is given up."""

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0


class Patience:
    """Counts attempts that broke off; getting further than ever before starts the count again.

    Args:
        name: of the file, for what is told meanwhile.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._furthest = 0
        self._failed = 0

    def wait(self, reason: BrokenOffError, reached: int) -> None:
        """Tell why an attempt stopped and wait, twice as long after each that got no further.

        Args:
            reason: why it stopped.
            reached: bytes of the file that were here then.

        Raises:
            RefusedError: after :data:`ATTEMPTS` that got no further; or at once where the server
                cannot be found and no attempt before has brought a byte.
        """
        if isinstance(reason, UnreachableError) and not self._furthest:
            raise RefusedError(str(reason)) from reason
        if reached > self._furthest:
            self._furthest, self._failed = reached, 0
        self._failed += 1
        if self._failed >= ATTEMPTS:
            raise RefusedError(f"{reason}, {self._failed} times in a row") from reason
        delay = min(FIRST_DELAY_S * 2 ** (self._failed - 1), LONGEST_DELAY_S)
        sys.stderr.write(f"{self._name}: {reason}; asking again in {delay:.0f} s\n")
        time.sleep(delay)
