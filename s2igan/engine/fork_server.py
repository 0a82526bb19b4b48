"""Imported by the fork server of worker processes, which outlives what ends its parent.

A signal to the whole process group would otherwise end it first, and its workers would count as
dead while they still send results. It ends with its parent in any case.
"""

import os
import signal
from typing import Final

_ENDS: Final = signal.SIGTERM, signal.SIGHUP  # of SIGINT it takes care itself


def _handle(action: signal.Handlers) -> None:
    for number in _ENDS:
        signal.signal(number, action)


_handle(signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: _handle(signal.SIG_DFL))
