"""One of several processes, which does what its argument says."""

import os
import sys
import time

from s2igan.engine.launch import EXIT_DESERTED, current_rank


def main(what: str) -> int:
    """Do it and return the exit code."""
    rank = current_rank()
    if what == "say":
        sys.stdout.write(f"{rank!r} {os.environ['OMP_NUM_THREADS']}\n")
        return 0
    if what == "refuse" and rank.rank == 1:
        sys.stderr.write("train_sen: weights are missing\n")
        return 2
    if what in ("refuse", "desert"):
        return EXIT_DESERTED
    if what == "die" and rank.rank == 1:
        os.abort()
    time.sleep(600)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
