"""Which process this is, and several of them started on one machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from s2igan.engine import device, launch, stage
from s2igan.engine.device import choose_device
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.launch import (
    EXIT_DESERTED,
    Rank,
    current_rank,
    free_port,
    launched_rank,
    meeting_point,
    run_locally,
    told_by,
)
from s2igan.engine.runtime import read_runtime
from s2igan.errors import UserError
from tests.distributed import child

PATIENCE_S = 300  # a hang; a child would sleep for longer

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),4",
    "SLURM_STEP_NODELIST": "gpu[07-08,11]",
    "SLURM_JOB_ID": "1234567",
}


def tell(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_plain_launch_is_one_process() -> None:
    assert launched_rank() is None
    assert current_rank() == Rank(0, 1, 0, 1)
    assert current_rank().is_first


def test_torchrun_says_which_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**TORCHRUN, "MASTER_ADDR": "gpu07", "MASTER_PORT": "29400"})
    assert current_rank() == Rank(5, 8, 1, 4)
    assert not current_rank().is_first
    assert meeting_point() == ("gpu07", 29400)
    assert told_by() == "RANK and WORLD_SIZE"


def test_slurm_says_so_inside_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**SLURM, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "8"})
    assert current_rank() == Rank(5, 8, 1, 4)
    assert meeting_point() == ("gpu07", 20_000 + 1234567 % 20_000)
    assert told_by() == "SLURM_PROCID and SLURM_STEP_NUM_TASKS"


def test_processes_share_the_workers_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "usable_cores", lambda: 12)
    assert Rank().share(None) == 12
    assert Rank(5, 8, 1, 4).share(None) == 3
    assert Rank(5, 8, 1, 4).share(8) == 2
    assert Rank(5, 8, 1, 4).share(1) == 1


def test_a_task_that_slurm_keeps_cores_for_uses_those(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {**SLURM, "SLURM_STEP_NUM_TASKS": "8", "SLURM_CPUS_PER_TASK": "12"})
    # Bound to them, it sees no others; else it sees the whole machine's.
    for seen in (12, 48):
        monkeypatch.setattr(launch, "usable_cores", lambda seen=seen: seen)
        assert current_rank().share(None) == 12
        assert current_rank().share(8) == 2
    tell(monkeypatch, TORCHRUN)  # one task a machine, whose cores torchrun's processes share
    assert current_rank().share(None) == 12


@pytest.mark.parametrize(
    "step",
    [{}, {"SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1"}],
    ids=["batch script", "shell of salloc"],
)
def test_what_slurm_starts_once_stands_alone(
    monkeypatch: pytest.MonkeyPatch, step: dict[str, str]
) -> None:
    # SLURM_NTASKS is that of the allocation in both, and nobody starts the others.
    tell(monkeypatch, {**SLURM, **step, "SLURM_PROCID": "0"})
    assert launched_rank() is None


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, {"RANK": "", "WORLD_SIZE": "", "SLURM_STEP_NUM_TASKS": ""})
    assert launched_rank() is None
    tell(monkeypatch, {"MASTER_ADDR": "", "MASTER_PORT": "", "SLURM_STEP_NODELIST": ""})
    tell(monkeypatch, {"SLURM_JOB_ID": "", "SLURM_STEP_ID": ""})
    assert meeting_point() == ("127.0.0.1", 20_000)
    tell(monkeypatch, {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "", "LOCAL_WORLD_SIZE": ""})
    assert launched_rank() == Rank(1, 2, 1, 2)
    tell(monkeypatch, {**TORCHRUN, "LOCAL_RANK": ""})
    assert launched_rank() == Rank(5, 8, 1, 4)


STEP = {**SLURM, "SLURM_STEP_NUM_TASKS": "8"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"RANK": "1", "WORLD_SIZE": "1"}, "RANK; got '1'; expected a number below 1 (WORLD_SIZE)"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK; got '2'; expected a number below 2 (WORLD_SIZE)"),
        ({**TORCHRUN, "RANK": "-1"}, "RANK; got '-1'; expected a number from 0"),
        ({**TORCHRUN, "RANK": "x"}, "RANK; got 'x'; expected a number from 0"),
        ({**TORCHRUN, "WORLD_SIZE": "0"}, "WORLD_SIZE; got '0'; expected a number from 1"),
        ({**TORCHRUN, "LOCAL_RANK": "4"}, "LOCAL_RANK; got '4'; expected a number below 4 (LOCAL_"),
        ({**TORCHRUN, "LOCAL_WORLD_SIZE": "1.5"}, "LOCAL_WORLD_SIZE; got '1.5'; expected a number"),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "x"}, "SLURM_STEP_NUM_TASKS; got 'x'; expected a number"),
        ({**STEP, "SLURM_PROCID": "8"}, "SLURM_PROCID; got '8'; expected a number below 8 (SLURM_"),
        ({**STEP, "SLURM_NODEID": "3"}, "SLURM_NODEID; got '3'; expected a number below 3 (SLURM_"),
        (
            {**STEP, "SLURM_LOCALID": "4"},
            "SLURM_LOCALID; got '4'; expected a number below 4 (SLURM",
        ),
        (
            {**STEP, "SLURM_STEP_TASKS_PER_NODE": "x"},
            "SLURM_STEP_TASKS_PER_NODE; got 'x'; expected",
        ),
        ({**STEP, "SLURM_CPUS_PER_TASK": "0"}, "SLURM_CPUS_PER_TASK; got '0'; expected a number f"),
    ],
)
def test_what_no_process_can_be_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    tell(monkeypatch, variables)
    with pytest.raises(UserError, match=f"^variable {re.escape(told)}.*; unset it if"):
        launched_rank()


@pytest.mark.parametrize("port", ["0", "65536", "abc"])
def test_a_port_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    tell(monkeypatch, {"MASTER_PORT": port})
    with pytest.raises(UserError, match=f"MASTER_PORT; got '{port}'; expected .* 1 to 65535"):
        meeting_point()


@pytest.mark.parametrize(
    ("machines", "first"),
    [
        ("gpu1", "gpu1"),
        ("a,b", "a"),
        ("n[3,5-9]", "n3"),
        ("n[03-05]-ib,m1", "n03-ib"),
        ("r[1-2]n[1,4]x,m", "r1n1x"),
    ],
)
def test_the_first_machine_of_a_list(
    monkeypatch: pytest.MonkeyPatch, machines: str, first: str
) -> None:
    tell(monkeypatch, {"SLURM_STEP_NODELIST": machines, "MASTER_PORT": "1"})
    assert meeting_point() == (first, 1)


def test_processes_know_their_numbers(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_locally(child.__name__, ["say"], 2, Interrupts()) == 0
    said = sorted(capfd.readouterr().out.splitlines())
    assert [line.rsplit(" ", 1)[0] for line in said] == [
        f"Rank(rank={n}, world=2, local={n}, local_world=2, cores=None)" for n in (0, 1)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no port for another")
def test_nobody_else_is_given_the_port_at_which_processes_will_meet() -> None:
    with free_port() as port:
        with socket.socket() as somebody, pytest.raises(OSError, match="already in use"):
            somebody.bind(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port)).close()


def test_who_fails_first_says_why(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The others, which never connect, may end before the one that fails has begun.
    monkeypatch.setattr(launch, "_GRACE_S", PATIENCE_S)
    assert run_locally(child.__name__, ["refuse"], 3, Interrupts()) == 2
    assert capfd.readouterr().err == "train_sen: weights are missing\n"


def test_when_one_dies_the_others_are_ended(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_GRACE_S", 0.1)
    began = time.monotonic()
    assert run_locally(child.__name__, ["die"], 2, Interrupts()) == 128 + signal.SIGABRT
    assert time.monotonic() - began < PATIENCE_S
    assert "process 1 of 2 was ended by SIGABRT" in capfd.readouterr().err


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(starter: int) -> list[psutil.Process]:
    """The children that run their own program already."""
    children = psutil.Process(starter).children()
    return [child for child in children if "run_locally" not in " ".join(child.cmdline())]


def test_who_ends_the_starter_ends_them_all(repository: Path) -> None:
    script = f"""
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.launch import run_locally
with Interrupts().handled() as interrupts:
    print("begun", flush=True)
    run_locally({child.__name__!r}, ["wait"], 2, interrupts)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "begun\n"
        wait_until(lambda: len(started(starter.pid)) == 2)
        children = started(starter.pid)
        starter.terminate()
        assert starter.wait(PATIENCE_S) == 143
    wait_until(lambda: not any(child.is_running() for child in children))


def test_a_signal_waits_until_a_child_has_been_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: set[int] = set()

    class Child(subprocess.Popen[bytes]):
        def poll(self) -> int | None:
            signal.raise_signal(signal.SIGTERM)
            looked.add(self.pid)  # in the middle of subprocess's poll() its lock is held
            return super().poll()

    monkeypatch.setattr(subprocess, "Popen", Child)
    with Interrupts().handled() as interrupts, pytest.raises(SystemExit, match="143"):
        run_locally(child.__name__, ["wait"], 2, interrupts)
    assert len(looked) == 2
    assert not any(psutil.pid_exists(pid) for pid in looked)


def test_who_is_told_to_end_with_its_children_says_nothing_of_them(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Child(subprocess.Popen[bytes]):
        def poll(self) -> int | None:
            if self.returncode is None:
                os.kill(self.pid, signal.SIGKILL)
                self.wait()
                signal.raise_signal(signal.SIGTERM)
            return super().poll()

    monkeypatch.setattr(subprocess, "Popen", Child)
    with Interrupts().handled() as interrupts, pytest.raises(SystemExit, match="143"):
        run_locally(child.__name__, ["wait"], 2, interrupts)
    assert capfd.readouterr().err == ""


def test_who_loses_dvc_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train_rdg")
    interrupts = Interrupts()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    began = time.monotonic()
    with pytest.raises(SystemExit, match="143"):
        run_locally(child.__name__, ["wait"], 2, interrupts)
    assert time.monotonic() - began < PATIENCE_S


def test_a_group_of_which_none_says_why_it_failed_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run_locally(child.__name__, ["desert"], 2, Interrupts()) == EXIT_DESERTED
    assert capfd.readouterr().err == "child: process 0 of 2 had no answer from another\n"


def test_the_number_of_processes_is_a_setting_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stage._local_processes(read_runtime()) == 1  # on a CPU
    monkeypatch.setenv("S2IGAN_PROCESSES", "3")
    assert stage._local_processes(read_runtime()) == 3
    monkeypatch.setenv("S2IGAN_PROCESSES", "auto")
    monkeypatch.setenv("S2IGAN_DEVICE", "cuda")
    monkeypatch.setattr(device, "gpu_is_present", lambda: True)
    monkeypatch.setattr(device, "usable_gpus", lambda: 4)
    assert stage._local_processes(read_runtime()) == 4
    for one in ("cpu", "cuda:1"):
        monkeypatch.setenv("S2IGAN_DEVICE", one)
        assert stage._local_processes(read_runtime()) == 1
    monkeypatch.setenv("S2IGAN_PROCESSES", "none")
    with pytest.raises(UserError, match="S2IGAN_PROCESSES"):
        read_runtime()


def test_each_process_needs_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fourth = Rank(3, 4, 3, 4)
    monkeypatch.setattr(device, "usable_gpus", lambda: 2)
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    with pytest.raises(UserError, match="processes on this machine; got 4; expected at most 2"):
        choose_device(fourth)
    monkeypatch.setenv("S2IGAN_DEVICE", "cuda:0")
    with pytest.raises(UserError, match="device 'cuda:0'; got 4 processes"):
        choose_device(fourth)
    monkeypatch.setattr(device, "usable_gpus", lambda: 4)
    monkeypatch.setattr(device, "gpu_is_present", lambda: True)
    monkeypatch.setattr(device, "cuda_problem", lambda _: "it fell off the bus")
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    with pytest.raises(UserError, match="device 'auto'; got it fell off the bus"):
        choose_device(fourth)
    monkeypatch.setattr(device, "cuda_problem", lambda _: None)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "a GPU")
    current: list[torch.device] = []
    monkeypatch.setattr("torch.cuda.set_device", current.append)
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    assert str(choose_device(fourth)) == "cuda:3"
    assert str(current[-1]) == "cuda:3"
    monkeypatch.setenv("S2IGAN_DEVICE", "cpu")
    assert str(choose_device(fourth)) == "cpu"
