"""Host work in several processes, with results in the order of the items."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from types import FrameType
from typing import TypeVar

from s2igan.errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def parallel_map(fn: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield ``fn(item)`` for every item, in order, holding only a few results at a time.

    Whatever ends it before its last item, an error or a signal, makes the processes drop what they
    have begun, and so does the death of this one.

    Args:
        fn: a picklable function whose result depends on its item alone.
        items: picklable items; they are read a little ahead of the results.
        workers: processes to use; with 1 the work is done in this process.

    Raises:
        Exception: whatever ``fn`` raises, for the first item that fails.
        BrokenProcessPool: if a process dies.
        UserError: if the system has no semaphores for several processes.
    """
    if workers == 1:
        yield from map(fn, items)
        return
    heard, held = multiprocessing.Pipe(duplex=False)
    with heard, held, _pool(fn, workers, heard) as pool:
        try:
            yield from _in_order(pool, fn, items, workers)
        except BaseException:
            held.close()  # else the pool would wait for the items that they have begun
            pool.shutdown(cancel_futures=True)
            raise


def _pool(fn: Callable[..., object], workers: int, heard: Connection) -> ProcessPoolExecutor:
    try:
        return ProcessPoolExecutor(
            workers, mp_context=_context(fn), initializer=_start_worker, initargs=(heard,)
        )
    except OSError as error:  # Linux keeps semaphores in /dev/shm, which a container may lack.
        raise UserError(
            f"{workers} worker processes",
            got=f"no semaphore for them: {error.strerror}",
            expected="a /dev/shm with room that can be written",
            fix="give the container one, or set workers (S2IGAN_WORKERS) to 1",
        ) from error


def _context(fn: Callable[..., object]) -> multiprocessing.context.ForkServerContext:
    # Forking a process that holds threads or CUDA is unsafe; the fork server holds neither. It
    # imports once what each of its children would import again.
    context = multiprocessing.get_context("forkserver")
    function = fn.func if isinstance(fn, partial) else fn
    own = [name for name in sys.modules if name.startswith("s2igan.")]
    context.set_forkserver_preload(["s2igan.engine.fork_server", function.__module__, *own])
    return context


class _Turn:
    """Where a worker's main thread stands: it may be stopped within an item, and only there.

    One that dies while it sends a result leaves its parent waiting for the rest of it.
    """

    at_work = False
    over = False


def _work(fn: Callable[[T], R], item: T) -> R:
    if _Turn.over:
        raise KeyboardInterrupt
    _Turn.at_work = True
    try:
        return fn(item)
    finally:
        _Turn.at_work = False


def _stop(_number: int, _frame: FrameType | None) -> None:
    if _Turn.at_work:
        _Turn.at_work = False
        raise KeyboardInterrupt


def _start_worker(heard: Connection) -> None:
    # What ends a whole group of processes is left to the one that started the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_work, args=(heard,), daemon=True).start()
    # One thread a worker: the processes already fill the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _end_with_work(heard: Connection) -> None:
    # Nothing is ever sent: the other end closes with the work, or with a parent that was killed,
    # which cannot end its workers, and they would wait for work for ever.
    heard.poll(None)
    _Turn.over = True
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _in_order(
    pool: ProcessPoolExecutor, fn: Callable[[T], R], items: Iterable[T], workers: int
) -> Iterator[R]:
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(_work, fn, item))
        if len(waiting) > 2 * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
