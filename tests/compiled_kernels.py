"""Compile every Triton kernel for NVIDIA GPUs, on a machine that need not have one.

The interpreter that stands in for a GPU in tests knows no types: it runs what a compiler refuses.
``python -m tests.compiled_kernels 80 90`` launches the kernels as the networks do, but stops each
launch once its kernel is compiled for the compute capabilities 8.0 and 9.0, and prints the names.
"""

import sys
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from s2igan.rdg import norm_kernels
from s2igan.vision import inception_kernels


class _Absent:
    """Stands for the driver of a GPU that is known by its compute capability alone."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return self.capability  # compiled kernels are kept by device

    def get_current_stream(self, _device: int) -> int:
        return 0


def compile_all(capability: int) -> set[str]:
    """Compile for one compute capability, such as 90 for 9.0, and return the kernels' names."""
    driver.set_active(_Absent(capability))
    names = set()
    run = JITFunction.run

    def compiled(kernel: Any, *args: Any, **options: Any) -> None:
        if run(kernel, *args, **{**options, "warmup": True}).asm["cubin"]:
            names.add(kernel.fn.__name__)

    with patch.object(JITFunction, "run", compiled):
        for precision in (torch.float32, torch.bfloat16):
            for processes in (1, 2):
                _norms(precision, processes)
            _inception(precision)
    return names


def _norms(precision: torch.dtype, processes: int) -> None:
    with (
        patch.object(norm_kernels, "world", lambda: processes),
        patch.object(norm_kernels, "_of_all", lambda _norm, own, _rows: own),
        patch.object(norm_kernels, "summed", lambda sums: sums),
    ):
        for kind in (norm_kernels.NOTHING, norm_kernels.GLU, norm_kernels.LEAKY):
            _backwards(norm_kernels.normed(nn.BatchNorm2d(64), _map(precision), kind, 0.2))


def _inception(precision: torch.dtype) -> None:
    bias = torch.zeros(64)
    _backwards(inception_kernels.maximum(_map(precision)))
    _backwards(inception_kernels.rectified(_map(precision) * 1, bias))
    for with_padding in (True, False):
        _backwards(inception_kernels.rectified_average(_map(precision), bias, with_padding))


def _map(precision: torch.dtype) -> Tensor:
    x = torch.zeros(2, 64, 8, 8, dtype=precision)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_(True)


def _backwards(y: Tensor) -> None:
    torch.autograd.backward(y.sum())


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        sys.stdout.write(" ".join([argument, *sorted(compile_all(int(argument)))]) + "\n")
