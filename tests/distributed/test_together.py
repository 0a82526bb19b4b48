"""Two processes with gloo against one, in float64, for the same global batches."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from datetime import timedelta
from io import StringIO
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._C._distributed_c10d import HashStore
from torch.distributed import DistBackendError, DistNetworkError

from s2igan.engine import meeting
from s2igan.engine.distributed import own_rows
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.launch import Rank, current_rank, free_port, run_locally
from s2igan.engine.meeting import DesertedError, together
from s2igan.errors import UserError
from tests.distributed import jobs, late
from tests.distributed.jobs import RDG_KINDS, SEN_KINDS, float64, norms
from tests.kernels import kernel_device
from tests.rdg.makers import write_inputs
from tests.sen.synthetic import write_synthetic

PROCESSES = 2
HANG_S = 30


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_synthetic(folder / "sen")
    (folder / "rdg").mkdir()
    write_inputs(folder / "rdg")
    return folder


@pytest.fixture(scope="module")
def found(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has found; they compute all jobs in one go."""
    out = tmp_path_factory.mktemp("found")
    assert run_locally(jobs.__name__, [str(inputs), str(out)], PROCESSES, Interrupts()) == 0
    return [torch.load(out / f"{rank}.pt") for rank in range(PROCESSES)]


def alone(inputs: Path, name: str) -> Any:
    with float64():
        return jobs.jobs(inputs)[name]()


def assert_close(found: Tensor, expected: Tensor, largest: float, name: str) -> None:
    assert found.shape == expected.shape, name
    gaps = (found.cpu().double() - expected.cpu().double()).abs()
    gap = float(gaps.max()) if gaps.numel() else 0.0
    assert gap <= largest, (name, gap)


@pytest.mark.parametrize(
    ("name", "rounding"),  # coarser in the kernels' float32
    [("maps", 1), ("rows", 1), ("kernels", 1e7)],
)
def test_batch_norm_is_torchs_over_the_rows_of_all(
    found: list[dict[str, Any]], name: str, rounding: float
) -> None:
    if name == "kernels":
        kernel_device()  # or the test is skipped
    with float64():
        expected = norms(plain=True)[name]
    mine = [process["norms"][name] for process in found]
    for key, value in expected.items():
        if key.startswith("rows."):
            assert_close(torch.cat([part[key] for part in mine]), value, 1e-10 * rounding, key)
        elif key.startswith("sum."):
            assert_close(mine[0][key] + mine[1][key], value, 1e-9 * rounding, key)
        else:
            assert_close(mine[0][key], value, 1e-12 * rounding, key)
            assert_close(mine[1][key], value, 1e-12 * rounding, key)


def test_the_matching_loss_is_that_of_the_global_batch(
    found: list[dict[str, Any]], inputs: Path
) -> None:
    expected = alone(inputs, "matched")
    mine = [process["matched"] for process in found]
    for part in mine:
        assert_close(part["loss"], expected["loss"], 1e-12, "loss")
    for key in ("rows.a", "rows.v"):
        assert_close(torch.cat([part[key] for part in mine]), expected[key], 1e-12, key)


def test_results_are_shared_in_their_order(found: list[dict[str, Any]]) -> None:
    first, second = (process["helpers"] for process in found)
    seven = [str(n) for n in range(7)]
    assert first["shared"] == second["shared"] == first["to first"] == seven
    assert second["to first"] == []
    assert first["averages"] == second["averages"] == {"x": 1.5}
    assert (first["spread"] == 1).all()
    assert (second["spread"] == 1).all()
    assert (first["apart"], second["apart"]) == (1, 1)
    assert first["told"] == second["told"] == [True, False]


def test_machines_that_find_different_checkpoints_are_told(found: list[dict[str, Any]]) -> None:
    for process in found:
        alike, apart = process["helpers"]["steps"]
        assert alike == "{'step': 3}"
        assert apart.startswith("checkpoints; got steps 0, 30 as the last ones")


def test_processes_that_compute_from_other_things_are_told(found: list[dict[str, Any]]) -> None:
    for process in found:
        alike, apart = process["helpers"]["alike"]
        assert alike == ""
        assert apart.startswith("parameters, inputs or source files; got other ones in process 1 ")


def test_all_processes_notice_a_loss_that_is_not_finite_in_one(
    found: list[dict[str, Any]], inputs: Path
) -> None:
    for told in (*(process["noticed"] for process in found), alone(inputs, "noticed")):
        assert told.startswith("loss 'matching' of SEN at step 0; got nan")


def test_all_processes_end_after_the_last_checkpoint(found: list[dict[str, Any]]) -> None:
    assert [process["helpers"]["ended"] for process in found] == [[True, True]] * PROCESSES


def test_all_processes_save_where_the_clock_of_one_says_so(found: list[dict[str, Any]]) -> None:
    assert [process["helpers"]["late"] for process in found] == [[True, True]] * PROCESSES


def test_all_processes_begin_with_the_weights_of_the_first(
    found: list[dict[str, Any]], inputs: Path
) -> None:
    expected: dict[str, Tensor] = alone(inputs, "begun")
    for process in found:
        for key, value in expected.items():
            assert_close(process["begun"][key], value, 0.0, key)


@pytest.mark.parametrize(
    "name", [*(f"sen {kind}" for kind in SEN_KINDS), *(f"rdg {kind}" for kind in RDG_KINDS)]
)
def test_two_processes_learn_what_one_learns(
    found: list[dict[str, Any]], inputs: Path, name: str
) -> None:
    expected: dict[str, Tensor] = alone(inputs, name)
    first, second = (process[name] for process in found)
    assert first.keys() == expected.keys()
    assert any(float(v.abs().max()) > 1e-3 for k, v in expected.items() if "gradient" in k)
    for key, value in expected.items():
        assert_close(first[key], value, 1e-9 if key.startswith("gradient") else 1e-6, key)
        assert_close(second[key], first[key], 0.0, key)


def test_alone_everything_is_ones_own(inputs: Path) -> None:
    helpers = alone(inputs, "helpers")
    assert helpers["shared"] == helpers["to first"] == [str(n) for n in range(7)]
    assert helpers["averages"] == {"x": 1.0}
    assert own_rows(5, "sen.batch") == slice(0, 5)


@pytest.mark.parametrize(
    ("raised", "told", "deserted"),
    [
        (DistNetworkError("port: 1, name: EADDRINUSE"), "port 1; got one that is in use", False),
        (DistNetworkError("Timed out after 7 s"), "process 0 of 2; got no answer from", True),
        (RuntimeError("Connection closed by peer"), "process 0 of 2; got no answer from", True),
        (DistBackendError("ncclRemoteError: gone"), "process 0 of 2; got no answer from", True),
        (DistBackendError("a Last error: no memory"), "process 0 of 2; got no memory; run", False),
    ],
)
def test_a_group_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, raised: RuntimeError, told: str, deserted: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setattr(meeting, "TCPStore", fail)
    with pytest.raises(UserError) as caught, together(Rank(0, 2, 0, 2), torch.device("cpu")):
        pass
    assert str(caught.value).startswith(told)
    assert isinstance(caught.value, DesertedError) == deserted


def test_machines_that_do_not_reach_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Gloo connectFullMesh failed with [a.cc:1] timed out connecting")

    monkeypatch.setattr(meeting, "TCPStore", fail)
    told = pytest.raises(DesertedError, match="GLOO_SOCKET_IFNAME")
    with told, together(Rank(0, 2, 0, 2), torch.device("cpu")):
        pass


def test_what_was_said_before_a_restart_by_torchrun_is_not_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = HashStore()
    for number in (0, 1):
        store.set(f"here/{number}", "cpu")
        store.set(f"0/here/{number}", "cpu")
    monkeypatch.setattr(meeting, "TCPStore", lambda *_, **__: store)
    monkeypatch.setattr(meeting, "PATIENCE", timedelta(seconds=0.3))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    told = pytest.raises(DesertedError, match="others that have not come")
    with told, together(Rank(0, 2, 0, 2), torch.device("cpu")):
        pass


@pytest.fixture
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let processes meet where none has come yet."""
    with free_port() as port:
        monkeypatch.setenv("MASTER_PORT", str(port))
        yield


def unanswered(address: tuple[str, int], _timeout_s: float) -> socket.socket:
    raise OSError(f"nobody at {address}")


@pytest.mark.usefixtures("nobody_there")
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid"])
def test_who_waits_says_so_once_and_at_last_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], host: str, number: int
) -> None:
    for name, value in {"RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": host}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(meeting, "SILENCE", timedelta(seconds=0.3))
    monkeypatch.setattr(meeting, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(socket, "create_connection", unanswered)  # a resolver may take its time
    who = f"process {number} of 2 (RANK and WORLD_SIZE)"
    told = pytest.raises(DesertedError, match=f"^{re.escape(who)}; got .*; unset RANK and WORLD_S")
    # A stage leaves sys.stderr to the first process.
    with redirect_stderr(StringIO()), told, together(current_rank(), torch.device("cpu")):
        pass
    said = capfd.readouterr().err
    assert re.fullmatch(rf"{re.escape(who)} waits for the others at {host}, port \d+\n", said)


@pytest.mark.usefixtures("nobody_there")
@pytest.mark.parametrize("number", [0, 1])
def test_who_waits_hears_a_signal(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(meeting, "PATIENCE", timedelta(seconds=HANG_S))
    ended, began = pytest.raises(SystemExit, match="143"), time.monotonic()
    with Interrupts().handled():
        Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with ended, together(Rank(number, 2, number, 2), torch.device("cpu")):
            pass
    assert time.monotonic() - began < HANG_S


@pytest.mark.usefixtures("nobody_there")
def test_processes_on_different_kinds_of_device_are_told() -> None:
    def refused(number: int) -> UserError:
        place = Rank(number, 2, 0, 1), torch.device(["cuda", "cpu"][number])
        with pytest.raises(UserError) as caught, together(*place):
            pass
        return caught.value  # with its frames, which keep the first one's store open

    with ThreadPoolExecutor() as pool:
        for error in list(pool.map(refused, range(2))):
            assert str(error).startswith(
                "devices; got cuda in process 0, another kind in process 1"
            )


@pytest.mark.long
def test_who_is_late_is_waited_for_longer_than_for_a_connection() -> None:
    assert run_locally(late.__name__, ["7"], 2, Interrupts()) == 0


def test_a_batch_that_cannot_be_shared_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2igan.engine.distributed.world", lambda: 3)
    with pytest.raises(UserError, match=r"sen\.batch; got 16 for 3 processes; expected a multiple"):
        own_rows(16, "sen.batch")
