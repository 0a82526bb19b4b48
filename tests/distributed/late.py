"""One of two processes; the second one comes late, and lets the first one wait again."""

import sys
import time
from datetime import timedelta
from unittest.mock import patch

import torch

from s2igan.engine import meeting
from s2igan.engine.distributed import barrier
from s2igan.engine.launch import current_rank


def main(seconds: float) -> None:
    """Be late by ``seconds``, two of them longer than processes that are there may connect for.

    They need some hundredths, and half of a second where ten others want their core.
    """
    rank = current_rank()
    torch.set_num_threads(1)
    time.sleep(seconds * rank.rank)
    shorter = patch.object(meeting, "CONNECTING", timedelta(seconds=seconds - 2))
    with shorter, meeting.together(rank, torch.device("cpu")):
        time.sleep(seconds * rank.rank)
        barrier()


if __name__ == "__main__":
    main(float(sys.argv[1]))
