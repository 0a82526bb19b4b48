"""How the processes of one stage meet and part, and what they say where that fails."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed.distributed_c10d import _abort_process_group, _set_pg_timeout
from torch.distributed.rendezvous import _torchelastic_use_agent_store

from s2igan.engine.distributed import barrier
from s2igan.engine.launch import Rank, meeting_point, told_by
from s2igan.errors import UserError

PATIENCE: Final = timedelta(hours=2)
"""How long a process waits for the others; one that has ended is noticed at once."""

SILENCE: Final = timedelta(seconds=10)
"""How long it waits for them to come without a word."""

CONNECTING: Final = timedelta(minutes=2)
"""How long processes that are all there try to connect; gloo waits five times as long for a
process that cannot reach this one and has given up.
"""

_LOST = (
    *("closed by peer", "reset by peer", "Broken pipe", "likely closed", "ncclRemoteError"),
    *("Timed out", "timed out", "timeout"),
)
_SAID = 200
_PAUSE_S = 0.1
_KNOCK_S = 5.0


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
        UserError: if they cannot meet, compute on different kinds of device, or NCCL fails.
    """
    if rank.world == 1:
        yield
        return
    whole = False
    try:
        _connect(_met(rank, device), rank, device)
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


def _met(rank: Rank, device: torch.device) -> Store:
    """Wait until every process has come: some read their inputs for longer than others.

    PyTorch could do so, but would hear no signal meanwhile, and print its stack while it knocks.
    """
    host, port = meeting_point()
    serves = rank.is_first and not _torchelastic_use_agent_store()  # else torchrun does
    waiting = _waiting(rank)
    while not (serves or _is_open(host, port)):
        next(waiting)
    store: Store = TCPStore(
        "127.0.0.1" if serves else host,
        port,
        is_master=serves,
        wait_for_workers=False,
        timeout=CONNECTING,
    )
    store.set_timeout(PATIENCE)
    # After a restart by torchrun the agent's store still holds what the processes before it said.
    store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT") or "0", store)
    here = [f"here/{number}" for number in range(rank.world)]
    store.set(here[rank.rank], device.type)
    while not store.check(here):
        next(waiting)
    _require_one_kind([kind.decode() for kind in store.multi_get(here)])
    return store


def _waiting(rank: Rank) -> Iterator[None]:
    """Pause again and again; say after a while that this process waits, and at last give up."""
    host, port = meeting_point()
    who, where = f"{rank} ({told_by()})", f"{host}, port {port}"
    began, told = time.monotonic(), False
    while (passed := time.monotonic() - began) < PATIENCE.total_seconds():
        if not told and passed > SILENCE.total_seconds():
            told = True
            # Not to sys.stderr, which only the first process has.
            os.write(2, f"{who} waits for the others at {where}\n".encode())
        time.sleep(_PAUSE_S)
        yield
    raise DesertedError(
        who,
        got=f"others that have not come to {where}, within {PATIENCE}",
        expected="all of them there",
        fix=f"unset {told_by()} to run alone, or give all the same MASTER_ADDR and MASTER_PORT",
    )


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _KNOCK_S) as knock:
            # Where nobody listens, Linux may connect a socket to itself.
            return bool(knock.getsockname() != knock.getpeername())
    except OSError:
        return False


def _require_one_kind(kinds: Sequence[str]) -> None:
    # With others on their GPUs, a process on a CPU would have them wait.
    others = [str(number) for number, kind in enumerate(kinds) if kind != kinds[0]]
    if others:
        raise UserError(
            "devices",
            got=f"{kinds[0]} in process 0, another kind in process {', '.join(others)}",
            expected="one kind",
            fix="leave out machines without a usable GPU, or set the device to cpu on all of them "
            "(S2IGAN_DEVICE)",
        )


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
            f"port {meeting_point()[1]}",
            got="one that is in use",
            expected="a free one for the processes to meet at",
            fix="run again, or name another (MASTER_PORT)",
        )
    lost = any(sign in reason for sign in _LOST)
    if isinstance(error, dist.DistBackendError) and not lost:
        return UserError(
            str(rank),
            got=(reason.partition("Last error: ")[2] or reason)[:_SAID],
            fix="run again with NCCL_DEBUG=INFO to see what NCCL does",
        )
    if of_group or lost:
        fix = "see what the other process said"
        if "connectFullMesh" in reason:
            fix += ", or name the network that the machines share (GLOO_SOCKET_IFNAME)"
        return DesertedError(
            str(rank),
            got=f"no answer from another process: {reason[:_SAID]}",
            expected="all of them to the end",
            fix=fix,
        )
    return None
