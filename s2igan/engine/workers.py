"""Host work in several processes, with results in the order of the items."""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def parallel_map(
    fn: Callable[[T], R], items: Iterable[T], workers: int, *, fresh_process: bool = False
) -> Iterator[R]:
    """Yield ``fn(item)`` for every item, in order, holding only a few results at a time.

    Args:
        fn: a picklable function whose result depends on its item alone.
        items: picklable items; they are read a little ahead of the results.
        workers: processes to use; with 1 the work is done in this process.
        fresh_process: give every item a newly started process, also with one worker, for libraries
            whose answer depends on what they were asked before.

    Raises:
        Exception: whatever ``fn`` raises, for the first item that fails.
        RuntimeError: if a process dies.
    """
    if fresh_process:
        with ThreadPoolExecutor(workers) as threads:
            yield from _in_order(threads, _Fresh(fn), items, workers)
    elif workers == 1:
        yield from map(fn, items)
    else:
        with ProcessPoolExecutor(
            workers, mp_context=_context(fn), initializer=_single_threaded
        ) as processes:
            yield from _in_order(processes, fn, items, workers)


def _context(fn: Callable[..., object]) -> multiprocessing.context.ForkServerContext:
    # Forking a process that holds threads or CUDA is unsafe; the fork server holds neither. It
    # imports once what each of its children would import again.
    context = multiprocessing.get_context("forkserver")
    function = fn.func if isinstance(fn, partial) else fn
    own = [name for name in sys.modules if name.startswith("s2igan.")]
    context.set_forkserver_preload([function.__module__, *own])
    return context


def _single_threaded() -> None:
    # One thread a worker: the processes already fill the cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _in_order(
    pool: Executor, fn: Callable[[T], R], items: Iterable[T], workers: int
) -> Iterator[R]:
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(fn, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BaseException:
        for future in waiting:
            future.cancel()
        raise


class _Fresh(Generic[T, R]):
    """Calls ``fn`` in a process of its own."""

    def __init__(self, fn: Callable[[T], R]) -> None:
        self._fn = fn

    def __call__(self, item: T) -> R:
        context = _context(self._fn)
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(sender, self._fn, item), daemon=True)
        process.start()
        sender.close()
        try:
            ok, value = receiver.recv()
        except EOFError:
            process.join()
            raise RuntimeError(f"a worker process died with code {process.exitcode}") from None
        finally:
            receiver.close()
        process.join()
        if not ok:
            raise value
        result: R = value
        return result


def _answer(sender: Connection, fn: Callable[[T], R], item: T) -> None:
    _single_threaded()
    try:
        sender.send((True, fn(item)))
    except Exception as error:
        sender.send((False, error))
