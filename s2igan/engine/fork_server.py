"""Imported by the fork server of worker processes, which outlives what ends its parent.

A signal to the whole process group would otherwise end it first, and its workers would count as
dead while they still send results. It ends with its parent in any case.
"""

import signal

from s2igan.engine.interrupts import ENDS

for number in ENDS:
    signal.signal(number, signal.SIG_IGN)
