"""What the processes of one stage do together; alone, every function here costs nothing.

Each process computes on its own rows of a global batch, and all of them call these functions in one
order. A loss of a process is either the mean over its rows, or a loss of the whole batch that every
process computes from gathered values; so the gradient of a step is the mean of the processes'
gradients, whatever their number.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from s2igan.engine.folders import fresh_folder
from s2igan.errors import UserError

T = TypeVar("T")

_apart = False


@contextmanager
def apart() -> Iterator[None]:
    """Let this process compute for itself inside the block, as every other one does."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def world() -> int:
    """Return how many processes compute together."""
    return dist.get_world_size() if dist.is_initialized() and not _apart else 1


def rank() -> int:
    """Return the number of this process among them."""
    return dist.get_rank() if world() > 1 else 0


def is_first() -> bool:
    """Whether this process writes files and tracks."""
    return rank() == 0


def own_rows(batch: int, what: str) -> slice:
    """Return which rows of a global batch are this process's.

    Args:
        batch: rows of the global batch.
        what: the parameter that sets it.

    Raises:
        UserError: if it cannot be shared equally.
    """
    if batch % world():
        raise UserError(
            what,
            got=f"{batch} for {world()} processes",
            expected=f"a multiple of {world()}",
            fix="change it, or set processes (S2IGAN_PROCESSES) to a divisor of it",
        )
    each = batch // world()
    return slice(rank() * each, (rank() + 1) * each)


def gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, ``(N, ...)`` → ``(world * N, ...)``, with gradients."""
    if world() == 1:
        return rows
    whole: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return whole


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, rows: Tensor) -> Tensor:
        parts = [rows.new_empty(rows.shape) for _ in range(world())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process's loss depends on these rows.
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world())[rank()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if world() > 1:
        _average([p.grad for p in parameters if p.grad is not None])


def averages(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean over the processes of every scalar."""
    if world() == 1 or not terms:
        return dict(terms)
    stacked = torch.stack([value.detach() for value in terms.values()])
    _average([stacked])
    return dict(zip(terms, stacked.unbind(), strict=True))


@torch.no_grad()
def _average(tensors: list[Tensor]) -> None:
    # One message instead of one per tensor; gradients of a step are of one dtype and device.
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    parts = torch.split(flat.div_(world()), [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


@torch.no_grad()
def spread_from_first(*modules: nn.Module) -> None:
    """Give every process the first one's parameters and buffers.

    They are drawn from the same seed everywhere; but the decomposition behind orthogonal weights
    can differ in its last digits between two kinds of processor.
    """
    if world() == 1:
        return
    for module in modules:
        for tensor in chain(module.parameters(), module.buffers()):
            whole = tensor.contiguous()
            dist.broadcast(whole, 0)
            tensor.copy_(whole)


def on_any(*flags: bool) -> list[bool]:
    """Return for every flag whether any process has raised it."""
    if world() == 1:
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.int32)  # on the CPU: waits for no kernel
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return [bool(flag) for flag in raised.tolist()]


def barrier() -> None:
    """Wait until every process has come here."""
    if world() > 1:
        dist.all_reduce(torch.zeros(()))  # on the CPU, whatever computes


def of_each(number: int) -> list[int]:
    """Return every process's number, in the order of the processes."""
    if world() == 1:
        return [number]
    numbers = torch.zeros(world(), dtype=torch.int64)
    numbers[rank()] = number
    dist.all_reduce(numbers)
    return [int(each) for each in numbers]


def require_alike(key: str) -> None:
    """Refuse to compute with processes that compute something else.

    Args:
        key: hexadecimal hash of what this process computes from.

    Raises:
        UserError: if another one's differs.
    """
    keys = of_each(int(key[:15], 16))  # of 64 bits
    others = [str(number) for number, other in enumerate(keys) if other != keys[0]]
    if others:
        raise UserError(
            "parameters, inputs or source files",
            got=f"other ones in process {', '.join(others)} than in process 0",
            expected="the same on all machines",
            fix="start the same command in the same clone, on a file system that all of them share",
        )


def shared(own: Iterator[T], total: int) -> Iterator[T]:
    """Yield, on every process, the results of all of them in order.

    Args:
        own: this process's results: those of items ``rank()``, ``rank() + world()``, ...
        total: number of items of all processes.
    """
    return _collected(own, total, everywhere=True)


def shared_to_first(own: Iterator[T], total: int) -> Iterator[T]:
    """Yield the results of all processes on the first one, and nothing on the others.

    The others have to run the iterator to its end too. Arguments are those of :func:`shared`.
    """
    return _collected(own, total, everywhere=False)


def _collected(own: Iterator[T], total: int, *, everywhere: bool) -> Iterator[T]:
    if world() == 1:
        yield from own
        return
    for start in range(0, total, world()):
        mine = next(own) if start + rank() < total else None
        results: list[Any] = [None] * world()
        if everywhere:
            dist.all_gather_object(results, mine)
        else:
            dist.gather_object(mine, results if is_first() else None)
        if everywhere or is_first():
            yield from results[: total - start]
    exhaust(own)


def exhaust(results: Iterable[object]) -> None:
    """Run an iterator to its end and keep nothing."""
    deque(results, maxlen=0)


@contextmanager
def first_folder(path: Path) -> Iterator[Path]:
    """Yield a fresh folder on the first process; on the others ``path``, left to the first one."""
    if is_first():
        with fresh_folder(path) as partial:
            yield partial
    else:
        yield path
