"""Which device computes, said aloud, and at which precision."""

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.allocator import keep_freed_memory
from s2igan.engine.launch import Rank
from s2igan.engine.runtime import read_runtime
from s2igan.errors import UserError

Precision = Literal["float32", "bfloat16"]

_SHOWN = 200


def choose_device(rank: Rank | None = None) -> torch.device:
    """Choose the device and say on stderr which, and why not a GPU that is present.

    Args:
        rank: this process among several, each of which takes a GPU of its own.

    Raises:
        UserError: if CUDA was asked for by name and cannot be used, or there are more processes
            than GPUs.
    """
    rank = rank or Rank()
    wanted = read_runtime().device
    if wanted == "cpu":
        present = " (a GPU is present; the device setting says cpu)" if gpu_is_present() else ""
        return _cpu(present)
    _check_devices(wanted, rank)
    device = torch.device(f"cuda:{rank.local}" if wanted in ("auto", "cuda") else wanted)
    problem = cuda_problem(device)
    if problem is None:
        torch.cuda.set_device(device)  # what takes no device means the current one
        return _announce(device, f" ({torch.cuda.get_device_name(device)})")
    if wanted != "auto" or (rank.world > 1 and gpu_is_present()):
        # With others on their GPUs, a process on a CPU would have them wait.
        raise UserError(
            f"device {wanted!r}",
            got=problem,
            expected="a usable CUDA device",
            fix="set the device to cpu (S2IGAN_DEVICE) to do without",
        )
    reason = f" (a GPU is present but unusable: {problem})" if gpu_is_present() else ""
    return _cpu(reason)


def usable_precision(device: torch.device, precision: Precision) -> Precision:
    """Return ``precision``, or float32 where bfloat16 does not pay, and say so once.

    Note: PyTorch computes in bfloat16 everywhere, but on a CPU with AVX2 alone a step of RDG takes
    eleven times as long as in float32, a product of matrices 300 times (bench/README.md). On
    AVX-512 without bfloat16 it is slower, too (pytorch/pytorch#86550).

    Raises:
        ValueError: if ``precision`` is another one.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision is {precision!r}, expected {' or '.join(get_args(Precision))}")
    return precision if precision == "float32" or _computes_bfloat16(device.type) else "float32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a context for products and convolutions at the :func:`usable_precision`; see there."""
    if usable_precision(device, precision) == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in float64 where it is that already."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sent(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return ``values`` as a tensor on ``device``, without waiting for a GPU to take them."""
    tensor: Tensor = torch.from_numpy(values)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def gpu_is_present() -> bool:
    """Tell whether the machine shows an NVIDIA GPU, usable or not."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/proc/driver/nvidia/version").is_file()


def cuda_problem(device: torch.device) -> str | None:
    """Return in one line why ``device`` cannot be used, or None where it can."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        if not torch.cuda.is_available():
            return _one_line(str(caught[-1].message)) if caught else "PyTorch sees no CUDA device"
        try:
            # The first kernel tells what the driver's version does not: an unsupported chip.
            torch.ones(8, device=device).sum().item()
        except RuntimeError as error:
            return _one_line(str(error))
    return None


def usable_gpus() -> int:
    """Return how many GPUs PyTorch sees; none where it could not use them."""
    with warnings.catch_warnings(action="ignore"):
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


@cache
def _computes_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        able = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        # Other processors with such instructions (ARM, Apple silicon) have not been measured.
        able = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    if not able:
        sys.stderr.write(f"precision: float32, since bfloat16 does not pay on this {kind}\n")
    return able


def _check_devices(wanted: str, rank: Rank) -> None:
    # A group of processes computes on GPUs or on CPUs, and no two of them on one GPU.
    if rank.local_world == 1:
        return
    if wanted.startswith("cuda:"):
        raise UserError(
            f"device {wanted!r}",
            got=f"{rank.local_world} processes on this machine",
            expected="auto, cuda or cpu, since each process needs a GPU of its own",
        )
    gpus = usable_gpus()
    if gpus < rank.local_world and (gpus or wanted == "cuda"):
        raise UserError(
            "processes on this machine",
            got=rank.local_world,
            expected=f"at most {gpus}, the number of GPUs",
            fix="start fewer (S2IGAN_PROCESSES), let each see all GPUs of its machine (with Slurm "
            "--gpus-per-node, not --gpus-per-task) or set the device to cpu (S2IGAN_DEVICE)",
        )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _cpu(remark: str) -> torch.device:
    keep_freed_memory()
    return _announce(torch.device("cpu"), remark)


def _announce(device: torch.device, remark: str) -> torch.device:
    sys.stderr.write(f"device: {device}{remark}\n")
    return device
