import os
import signal
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
import torch

from s2igan.engine.shortage import disk_is_full, memory_is_exhausted, memory_told
from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError

ON_GPU = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB of which"
)


def test_a_full_disk_is_recognised_in_the_words_of_libraries() -> None:
    assert disk_is_full(RuntimeError('IoError: Os { code: 28, "No space left on device" }'))
    assert disk_is_full(OSError(28, "No space left on device"))
    assert not disk_is_full(OSError(2, "No such file or directory"))


def too_much(library: str) -> None:
    if library == "torch":
        torch.empty(2**60, dtype=torch.uint8)
    elif library == "numpy":
        np.empty(2**60, np.uint8)
    elif library == "python":
        bytearray(2**62)
    else:
        raise torch.OutOfMemoryError(ON_GPU)


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("torch", "can't allocate memory: you tried to allocate 1152921504606846976 bytes"),
        ("numpy", "Unable to allocate 1.00 EiB"),
        ("python", "MemoryError"),
        ("GPU", "CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
)
def test_memory_that_runs_out_names_the_parameter(library: str, said: str) -> None:
    with pytest.raises(UserError) as caught, memory_told("lower sen.batch, now 128"):
        too_much(library)
    told = str(caught.value)
    assert told.startswith(f"out of memory; got {said}")
    assert told.endswith("; lower sen.batch, now 128")
    assert "\n" not in told


def end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_ended_names_the_number_of_workers() -> None:
    with pytest.raises(UserError) as caught, memory_told("lower sen.batch, now 128"):
        list(parallel_map(end, range(2), 2))
    assert str(caught.value) == (
        "out of memory; got a worker that ended without a word, mostly for memory; "
        "lower workers (S2IGAN_WORKERS)"
    )


def test_a_pool_that_breaks_for_a_reason_is_not_out_of_memory() -> None:
    error = BrokenProcessPool("a result has failed to un-serialize")
    assert memory_is_exhausted(error)
    error.__cause__ = TypeError("missing 1 required positional argument")
    assert not memory_is_exhausted(error)


def test_memory_behind_another_error_is_found() -> None:
    error = ValueError("a batch could not be made")
    error.__cause__ = MemoryError()
    assert memory_is_exhausted(error)
    assert not memory_is_exhausted(ValueError("out of memory"))
    with pytest.raises(ZeroDivisionError), memory_told("lower it"):
        raise ZeroDivisionError
