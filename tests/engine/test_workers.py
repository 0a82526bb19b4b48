import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from filelock import FileLock, Timeout

from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError


def refuse_once_held(path: str) -> None:
    """Hold the second of two locks, and fail at the first as soon as the second is held."""
    if path.endswith("busy"):
        hold(path)
    while not Path(path).with_name("busy.held").exists():
        time.sleep(0.05)
    raise UserError("item", got="what another has begun")


def process_of(item: int) -> tuple[int, int]:
    time.sleep(0.02 * (item % 2))
    return item, os.getpid()


def refuse(item: int) -> int:
    if item == 2:
        raise UserError("item", got=item, expected="another")
    return item


def die(_: int) -> None:
    os._exit(7)


HELD: list[FileLock] = []


def hold(path: str) -> None:
    """Lock a file for as long as this process lives, and be at work as long where it says so."""
    HELD.append(FileLock(path))
    HELD[-1].acquire()
    Path(path).with_suffix(".held").touch()
    if path.endswith("busy"):
        with TemporaryDirectory(dir=Path(path).parent):
            subprocess.run(["sleep", "600"], check=True)


def test_results_keep_the_order_of_the_items() -> None:
    results = list(parallel_map(process_of, range(12), 2))
    assert [item for item, _ in results] == list(range(12))
    assert os.getpid() not in {process for _, process in results}


def test_one_worker_stays_in_this_process() -> None:
    assert list(parallel_map(process_of, [1], 1)) == [(1, os.getpid())]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_an_item_is_raised(workers: int) -> None:
    results = parallel_map(refuse, range(4), workers)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(UserError, match="got 2"):
        next(results)


def test_a_dying_process_is_an_error() -> None:
    with pytest.raises(BrokenProcessPool):
        list(parallel_map(die, [1], 2))


# Full, read-only, or not there, as in some containers; a full one is not a full disk.
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.ENOENT])
def test_a_system_without_semaphores_names_the_number_of_workers(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_semaphore(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    importlib.import_module("multiprocessing.synchronize")  # reads what is replaced
    monkeypatch.setattr("_multiprocessing.SemLock", refuse_semaphore)
    with pytest.raises(UserError) as caught:
        list(parallel_map(process_of, range(2), 2))
    assert str(caught.value) == (
        f"2 worker processes; got no semaphore for them: {os.strerror(code)}; expected a /dev/shm "
        "with room that can be written; give the container one, or set workers (S2IGAN_WORKERS) "
        "to 1"
    )
    assert list(parallel_map(process_of, range(1), 1)) == [(0, os.getpid())]


def test_items_are_read_only_a_little_ahead() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            read.append(item)
            yield item

    results = parallel_map(process_of, items(), 2)
    next(results)
    assert len(read) <= 6
    results.close()  # type: ignore[attr-defined]


def hold_two(folder: Path) -> tuple[subprocess.Popen[bytes], list[Path]]:
    """Start a process with one idle worker and one at work for minutes, each holding a lock."""
    paths = [folder / "idle", folder / "busy"]
    program = (
        "from s2igan.engine.interrupts import Interrupts\n"
        "from s2igan.engine.workers import parallel_map\n"
        "from tests.engine.test_workers import hold\n"
        "with Interrupts().handled():\n"
        f"    list(parallel_map(hold, {[str(path) for path in paths]}, 2))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while not all(path.with_suffix(".held").exists() for path in paths):
        assert process.poll() is None
        time.sleep(0.05)
    return process, paths


def are_free(paths: list[Path]) -> bool:
    """Tell whether who held these locks lets go of them within a minute."""
    with suppress(Timeout):
        for path in paths:
            FileLock(path).acquire(timeout=60)
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_process_whose_workers_are_at_work(
    tmp_path: Path, number: signal.Signals
) -> None:
    process, paths = hold_two(tmp_path)
    process.send_signal(number)
    # A program of Python that SIGINT ends dies of that signal, once all is closed.
    assert process.wait(timeout=60) == {signal.SIGTERM: 143, signal.SIGINT: -2}[number]
    assert are_free(paths)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]  # its worker's has gone


def test_an_error_does_not_wait_for_what_another_worker_has_begun(tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    begun = time.monotonic()
    with pytest.raises(UserError, match="what another has begun"):
        list(parallel_map(refuse_once_held, [str(tmp_path / "first"), str(busy)], 2))
    assert time.monotonic() - begun < 60
    assert are_free([busy])


def bytes_of(count: int) -> bytes:
    return bytes(count)


def test_a_result_that_is_on_its_way_holds_up_no_end() -> None:
    program = (
        "from s2igan.engine.workers import parallel_map\n"
        "from tests.engine.test_workers import bytes_of\n"
        "for _ in range(4):\n"
        "    results = parallel_map(bytes_of, [20_000_000] * 9, 2)\n"
        "    next(results)\n"
        "    results.close()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_ends_all_while_results_are_on_their_way(
    number: signal.Signals,
) -> None:
    program = (
        "from s2igan.engine.interrupts import Interrupts\n"
        "from s2igan.engine.workers import parallel_map\n"
        "from tests.engine.test_workers import bytes_of\n"
        "with Interrupts().handled():\n"
        "    for _ in parallel_map(bytes_of, [2_000_000] * 100_000, 2):\n"
        "        print(flush=True)\n"
    )
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout
        with process.stdout:
            process.stdout.readline()
            os.killpg(process.pid, number)
            try:
                assert process.wait(timeout=60) == 128 + number
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_no_worker_outlives_a_process_that_was_killed(tmp_path: Path) -> None:
    process, paths = hold_two(tmp_path)
    process.kill()
    process.wait()
    assert are_free(paths)
