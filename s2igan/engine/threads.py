"""One thread for what is too small to share."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let the block compute in one thread.

    Where other work holds the cores, every layer waits for its slowest thread: eight small pictures
    took forty times as long on two busy cores as by one thread. One thread also rounds the same
    whatever the number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
