"""Host work in several processes, with results in the order of the items."""

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import TypeVar

from s2igan.errors import UserError

T = TypeVar("T")
R = TypeVar("R")


def parallel_map(fn: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield ``fn(item)`` for every item, in order, holding only a few results at a time.

    Whatever ends it before its last item, an error or a signal, ends the processes at once, and so
    does the death of this one.

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
    context.set_forkserver_preload([function.__module__, *own])
    return context


def _start_worker(heard: Connection) -> None:
    threading.Thread(target=_end_with_pipe, args=(heard,), daemon=True).start()
    # One thread a worker: the processes already fill the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _end_with_pipe(heard: Connection) -> None:
    # Nothing is ever sent. The other end closes with the work, or with a parent that was killed,
    # whose workers would otherwise wait for work for ever.
    heard.poll(None)
    os._exit(1)


def _in_order(
    pool: ProcessPoolExecutor, fn: Callable[[T], R], items: Iterable[T], workers: int
) -> Iterator[R]:
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(fn, item))
        if len(waiting) > 2 * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
