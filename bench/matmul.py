"""How fast this machine multiplies matrices, the ceiling that shares are told of."""

import time
from typing import get_args

import torch

from s2igan.engine.device import Precision, usable_precision


def matmul_rates(device: torch.device, repeats: int = 5) -> dict[str, float]:
    """Return the best rate of square matrix products by usable precision, FLOP per second."""
    side = 8192 if device.type == "cuda" else 2048
    # Of numbers that differ: a GPU multiplies equal ones faster.
    matrix = torch.randn(side, side, device=device)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # as PyTorch's convolutions on a GPU: TF32
    rates = {
        name: _rate(matrix.to(getattr(torch, name)), repeats)
        for name in get_args(Precision)
        if usable_precision(device, name) == name
    }
    torch.set_float32_matmul_precision(before)
    return rates


def _rate(matrix: torch.Tensor, repeats: int) -> float:
    best = 0.0
    for _ in range(repeats + 1):
        wait(matrix.device)
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        wait(matrix.device)
        best = max(best, 2 * len(matrix) ** 3 / (time.perf_counter() - start))
    return best


def wait(device: torch.device) -> None:
    """Return once a GPU has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
