"""One process per GPU under torchrun: who this process is, and what only the first one does."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Rank:
    """This process among those that torchrun started; alone it is rank 0 of 1."""

    rank: int
    world: int

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and tracks."""
        return self.rank == 0


def current_rank() -> Rank:
    """Return the rank that torchrun's variables name."""
    return Rank(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
