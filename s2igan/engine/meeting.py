"""How the processes of one stage meet and part, and what they say where that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import Store
from torch.distributed.distributed_c10d import _abort_process_group, _set_pg_timeout
from torch.distributed.rendezvous import rendezvous

from s2igan.engine.distributed import barrier
from s2igan.engine.launch import Rank, meeting_point
from s2igan.errors import UserError

PATIENCE: Final = timedelta(hours=2)
"""How long a process waits for the others; one that has ended is noticed at once."""

CONNECTING: Final = timedelta(minutes=2)
"""How long processes that are all there try to connect; gloo waits five times as long for a
process that cannot reach this one and has given up.
"""

_LOST = (
    *("closed by peer", "reset by peer", "Broken pipe", "likely closed", "ncclRemoteError"),
    *("Timed out", "timed out", "timeout"),
)
_SAID = 200


class DesertedError(UserError):
    """Another process of the stage ended, or did not answer in time."""


@contextmanager
def together(rank: Rank, device: torch.device) -> Iterator[None]:
    """Let :mod:`s2igan.engine.distributed` span all processes of the stage inside the block.

    Args:
        rank: this process; alone there is nothing to span.
        device: where this process computes: gloo on a CPU, NCCL on GPUs.

    Raises:
        DesertedError: if another process ends early or does not answer.
        UserError: if they cannot meet, or NCCL fails.
    """
    if rank.world == 1:
        yield
        return
    whole = False
    try:
        _connect(_met(rank), rank, device)
        yield
        barrier()
        whole = True
    except RuntimeError as error:
        if (told := _told(error, rank)) is None:
            raise
        raise told from error
    finally:
        if dist.is_initialized() and whole:
            dist.destroy_process_group()
        elif dist.is_initialized():
            # To destroy would wait for what a GPU has begun, and that for the process that ended.
            _abort_process_group()


def _met(rank: Rank) -> Store:
    """Wait until every process has come: some read their inputs for longer than others."""
    found = rendezvous(meeting_point(), rank.rank, rank.world, timeout=PATIENCE)
    store: Store = next(found)[0]
    places = [f"here/{number}" for number in range(rank.world)]
    store.set(places[rank.rank], "")
    store.wait(places)  # as long as the rendezvous
    return store


def _connect(store: Store, rank: Rank, device: torch.device) -> None:
    on_gpu = device.type == "cuda"
    # Objects and flags travel by gloo on GPUs too, so that they wait for no kernel.
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=store,
        rank=rank.rank,
        world_size=rank.world,
        timeout=CONNECTING,
        device_id=device if on_gpu else None,
    )
    _set_pg_timeout(PATIENCE)


def _told(error: RuntimeError, rank: Rank) -> UserError | None:
    """Tell what became of the group; None where the error is another one."""
    reason, of_group = " ".join(str(error).split()), isinstance(error, dist.DistError)
    if of_group and "EADDRINUSE" in reason:
        return UserError(
            meeting_point(),
            got="a port that is in use",
            expected="a free one for the processes to meet at",
            fix="run again, or name another (MASTER_PORT)",
        )
    lost = any(sign in reason for sign in _LOST)
    if isinstance(error, dist.DistBackendError) and not lost:
        return UserError(
            f"process {rank.rank} of {rank.world}",
            got=(reason.partition("Last error: ")[2] or reason)[:_SAID],
            fix="run again with NCCL_DEBUG=INFO to see what NCCL does",
        )
    if of_group or lost:
        fix = "see what the other process said"
        if "connectFullMesh" in reason:
            fix += ", or name the network that the machines share (GLOO_SOCKET_IFNAME)"
        return DesertedError(
            f"process {rank.rank} of {rank.world}",
            got=f"no answer from another process: {reason[:_SAID]}",
            expected="all of them to the end",
            fix=fix,
        )
    return None
