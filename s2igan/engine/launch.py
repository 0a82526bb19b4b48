"""One stage as several processes: which of them this one is, and how they start on one machine."""

import ctypes
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Final

from s2igan.engine.interrupts import LAUNCHED, Interrupts
from s2igan.engine.runtime import usable_cores
from s2igan.errors import UserError

EXIT_DESERTED: Final = 75
"""Exit code of a process that ends because another one did; that other one says why."""

_POLL_S = 0.05
_GRACE_S = 5.0  # for the others to end by themselves once one has failed
_PATIENCE_S = 60.0  # for a checkpoint to be written before a process is killed
_TOLD_BYTES = 4000
_PR_SET_PDEATHSIG = 1  # Linux's prctl.h
_FIRST_HOST = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")
_BRACKETS = re.compile(r"\[(\d+)[^\]]*\]")
_PORTS = 20_000, 40_000
_TORCHRUN = "RANK", "WORLD_SIZE"
_SLURM = "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"
_SLURM_TASKS = "SLURM_STEP_TASKS_PER_NODE"


@dataclass(frozen=True)
class Rank:
    """This process among those of its stage; alone it is rank 0 of 1.

    Attributes:
        rank: its number among all, on all machines.
        world: how many there are.
        local: its number on its machine, which is that of its GPU.
        local_world: how many there are on its machine.
        cores: how many its launcher keeps for it; None where all of them share the machine's.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1
    cores: int | None = None

    def __str__(self) -> str:
        return f"process {self.rank} of {self.world}"

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and tracks."""
        return self.rank == 0

    def share(self, workers: int | None) -> int:
        """Return this process's share of the machine's workers; None is one a core."""
        if workers is None and self.cores is not None:
            return min(self.cores, usable_cores())
        return max(1, (workers or usable_cores()) // self.local_world)


def launched_rank() -> Rank | None:
    """Return what torchrun or Slurm's ``srun`` says of this process; None where neither did.

    A step of one task, such as a shell that Slurm opened, says nothing: it is one machine. An empty
    variable is an unset one.

    Raises:
        UserError: if a variable is no number, or none that such a process can have.
    """
    if _are_set(*_TORCHRUN):
        world = _number("WORLD_SIZE", low=1)
        rank = _place("RANK", world, "WORLD_SIZE")
        local_world = _number("LOCAL_WORLD_SIZE", world, low=1)
        local = _place("LOCAL_RANK", local_world, "LOCAL_WORLD_SIZE", rank % local_world)
        return Rank(rank, world, local, local_world)
    # SLURM_NTASKS may be that of the job: a batch script has it, and a shell inside an allocation.
    world = _number("SLURM_STEP_NUM_TASKS", 1, low=1)
    if world > 1 and _are_set(*_SLURM):
        tasks = _tasks_by_machine()
        local_world = tasks[_place("SLURM_NODEID", len(tasks), _SLURM_TASKS)]
        return Rank(
            _place("SLURM_PROCID", world, "SLURM_STEP_NUM_TASKS"),
            world,
            _place("SLURM_LOCALID", local_world, _SLURM_TASKS),
            local_world,
            _number("SLURM_CPUS_PER_TASK", low=1) if _are_set("SLURM_CPUS_PER_TASK") else None,
        )
    return None


def told_by() -> str:
    """Name the variables that say which of several processes this one is."""
    return " and ".join(_TORCHRUN if _are_set(*_TORCHRUN) else _SLURM)


def _are_set(*names: str) -> bool:
    return all(os.environ.get(name) for name in names)


def _number(name: str, default: int = 0, *, low: int = 0, high: float = math.inf) -> int:
    text = os.environ.get(name) or str(default)
    if text.isdecimal() and low <= int(text) <= high:
        return int(text)
    raise _wrong(name, text, f"a number from {low}" + (f" to {high}" if high < math.inf else ""))


def _place(name: str, count: int, counted_by: str, default: int = 0) -> int:
    number = _number(name, default)
    if number < count:
        return number
    raise _wrong(name, str(number), f"a number below {count} ({counted_by})")


def _wrong(name: str, text: str, expected: str) -> UserError:
    fix = "unset it if it is not of this launch"
    return UserError(f"variable {name}", got=repr(text), expected=expected, fix=fix)


def _tasks_by_machine() -> list[int]:
    # "8(x2),4" is 8, 8 and 4 tasks.
    told = os.environ.get(_SLURM_TASKS) or "1"
    parts = re.findall(r"(\d+)(?:\(x(\d+)\))?", told)
    if not parts:
        raise _wrong(_SLURM_TASKS, told, "the tasks of each machine, such as 8(x2),4")
    return [int(tasks) for tasks, times in parts for _ in range(int(times or 1))]


def current_rank() -> Rank:
    """Return this process's rank."""
    return launched_rank() or Rank()


def meeting_point() -> tuple[str, int]:
    """Return where the processes meet: rank 0's machine, by name or address, and a port of it.

    That is what torchrun says or, in a step of Slurm, the first machine of the step and a port that
    follows from the job's number.

    Raises:
        UserError: if the port is none.
    """
    told = os.environ
    host = told.get("MASTER_ADDR") or _first_host(told.get("SLURM_STEP_NODELIST") or "127.0.0.1")
    low, high = _PORTS
    job = _number("SLURM_JOB_ID") + 7 * _number("SLURM_STEP_ID")
    return host, _number("MASTER_PORT", low + job % (high - low), low=1, high=65_535)


def _first_host(machines: str) -> str:
    # "rack[1-2]node[04-07,9],gpu1" begins with rack1node04.
    found = _FIRST_HOST.match(machines)
    return _BRACKETS.sub(r"\1", found[0]) if found else machines


def run_locally(
    module: str,
    arguments: Sequence[str],
    count: int,
    interrupts: Interrupts,
) -> int:
    """Run ``python -m module`` as ``count`` processes of one group and return their exit code.

    What the first one says is seen at once; what another one says is shown if it was the first to
    fail. When one fails the others are ended; when this process is, or is to end, so are they.
    """
    command = [sys.executable, "-m", module, *arguments]
    # A signal that raised within poll() could leave a child's lock taken, and _end wait for it.
    with interrupts.deferred(), ExitStack() as stack:
        told = [stack.enter_context(TemporaryFile()) for _ in range(1, count)]
        port = stack.enter_context(free_port())
        children: list[subprocess.Popen[bytes]] = []
        stack.callback(_end, children)
        for rank in range(count):
            children.append(
                subprocess.Popen(
                    command,
                    env=_environment(rank, count, port),
                    stderr=told[rank - 1] if rank else None,
                    preexec_fn=_end_with_parent,  # no threads run here
                )
            )
        _wait(children, interrupts)
        return _outcome(module.rpartition(".")[2], children, told)


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    numbers = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count}
    threads = max(1, usable_cores() // count)
    return {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        **{name: str(value) for name, value in numbers.items()},
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        LAUNCHED: "1",
    }


@contextmanager
def free_port() -> Iterator[int]:
    """Yield a port of this machine to listen on; Linux gives it to nobody else within the block."""
    with socket.socket() as taken:
        # There, who asks for it by its number may listen beside a socket that does not.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        if sys.platform != "linux":
            taken.close()
        yield port


def _end_with_parent() -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # where there is none, they end themselves
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(children: Sequence[subprocess.Popen[bytes]], interrupts: Interrupts) -> None:
    """Wait until all have ended or, some seconds after one has failed, return."""
    deadline = float("inf")
    while time.monotonic() < deadline:
        codes = [child.poll() for child in children]
        if interrupts.stop_requested():
            interrupts.end()
        if None not in codes:
            return
        if deadline == float("inf") and any(codes):
            deadline = time.monotonic() + _GRACE_S
        time.sleep(_POLL_S)


def _outcome(
    name: str, children: Sequence[subprocess.Popen[bytes]], told: Sequence[IO[bytes]]
) -> int:
    failed = [rank for rank, child in enumerate(children) if child.returncode]
    if not failed:
        return 0
    rank = next((r for r in failed if children[r].returncode != EXIT_DESERTED), failed[0])
    code = int(children[rank].returncode)
    if rank:
        file = told[rank - 1]
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TOLD_BYTES))
        sys.stderr.write(file.read().decode(errors="replace"))
    if code == EXIT_DESERTED:
        sys.stderr.write(f"{name}: process {rank} of {len(children)} had no answer from another\n")
    if code < 0:
        ended_by = signal.Signals(-code).name
        sys.stderr.write(f"{name}: process {rank} of {len(children)} was ended by {ended_by}\n")
    return code if code > 0 else 128 - code


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + _PATIENCE_S
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
