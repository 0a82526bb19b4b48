"""Disk and memory that ran out, told in the words of the one who can do something about it."""

import errno
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from s2igan.errors import UserError

_DISK = ("No space left on device", "Disk quota exceeded")
_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Cannot allocate memory",
    "Unable to allocate",
)
_WORKER = "a worker that ended without a word, mostly for memory"
_SAID = 160

DISK_FULL = "the disk is full; free some space and run again"
"""What is said of a full disk."""

FEWER_WORKERS = "lower workers (S2IGAN_WORKERS)"
"""What to do where memory runs out on the host."""


def disk_is_full(error: BaseException) -> bool:
    """Tell whether a full disk or an exhausted quota is behind ``error``.

    Libraries tell it as an ``OSError``, or in the words of the system inside errors of their own.
    """
    return any(
        (isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT))
        or any(words in str(each) for words in _DISK)
        for each in causes(error)
    )


def memory_is_exhausted(error: BaseException) -> bool:
    """Tell whether memory that could not be had, a device's or the host's, is behind ``error``.

    PyTorch tells it as a ``RuntimeError`` with the words of its allocator, for GPUs by a class of
    its own; NumPy and Python as a ``MemoryError``, the system as an ``OSError``. A worker that the
    system ends for its memory tells nothing: that one has ended has hardly another reason.
    """
    return any(
        isinstance(each, MemoryError)
        or (isinstance(each, OSError) and each.errno == errno.ENOMEM)
        or (isinstance(each, RuntimeError) and any(words in str(each) for words in _MEMORY))
        for each in causes(error)
    ) or _worker_was_ended(error)


@contextmanager
def memory_told(fix: str) -> Iterator[None]:
    """Say what to do about memory that runs out in the block.

    Args:
        fix: which parameter to lower; of workers that were ended it is their number.

    Raises:
        UserError: in place of whatever the libraries raised.
    """
    try:
        yield
    except Exception as error:
        if not memory_is_exhausted(error):
            raise
        if _worker_was_ended(error):
            raise UserError("out of memory", got=_WORKER, fix=FEWER_WORKERS) from error
        said = " ".join(str(error).split()).partition(" GPU ")[0].rpartition("Allocator: ")[2]
        raise UserError(
            "out of memory", got=said[:_SAID] or type(error).__name__, fix=fix
        ) from error


def _worker_was_ended(error: BaseException) -> bool:
    # A pool also breaks where what a worker has to say cannot be taken in; then there is a cause.
    return any(
        isinstance(each, BrokenProcessPool) and each.__cause__ is None for each in causes(error)
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that stand behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
