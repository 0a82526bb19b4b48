"""Where this project's own kernels run: on NVIDIA GPUs, with Triton, which PyTorch brings along."""

from functools import cache
from importlib.util import find_spec

from torch import Tensor

from s2igan.engine.runtime import read_runtime


def usable(x: Tensor) -> bool:
    """Whether kernels are to take ``x``."""
    return x.is_cuda and _wanted()


@cache
def _wanted() -> bool:
    # PyTorch brings Triton along on Linux alone.
    return read_runtime().acceleration != "off" and find_spec("triton") is not None
