import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from filelock import FileLock

from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError


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
        time.sleep(600)


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


def test_no_worker_outlives_a_process_that_was_killed(tmp_path: Path) -> None:
    idle, busy = str(tmp_path / "idle"), str(tmp_path / "busy")
    program = (
        "from s2igan.engine.workers import parallel_map\n"
        "from tests.engine.test_workers import hold\n"
        f"list(parallel_map(hold, {[idle, busy]}, 2))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        while not all(Path(path).with_suffix(".held").exists() for path in (idle, busy)):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    for path in (idle, busy):
        FileLock(path).acquire(timeout=60)
