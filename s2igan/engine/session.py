"""What a heavy stage is given beside its data: device, workers, tracker and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.tracking import Tracker

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Session:
    """The circumstances of a run; none of them changes a result beyond float rounding.

    Attributes:
        chosen: the device to compute on; None where a stage computes on none.
        workers: processes or threads for host work.
        tracker: where losses, pictures and figures are shown.
        checkpoints: the state to resume from.
        progress: whether to show progress on stderr.
        checkpoint_seconds: longest time between two checkpoints.
        interrupts: who tells the stage to end.
    """

    chosen: torch.device | None
    workers: int
    tracker: Tracker
    checkpoints: CheckpointStore
    progress: bool
    checkpoint_seconds: float = math.inf
    interrupts: Interrupts = field(default_factory=Interrupts)

    @property
    def device(self) -> torch.device:
        """Where to compute: the chosen device, else the CPU."""
        import torch  # takes seconds, and who computes on no device needs none of it

        return self.chosen or torch.device("cpu")


def plain_session(device: str = "cpu") -> Session:
    """Return a session without tracking, checkpoints, worker processes and progress."""
    import torch

    return Session(torch.device(device), 1, Tracker(), CheckpointStore(None), progress=False)
