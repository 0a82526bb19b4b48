"""Things that the host prepares while the step before is still being computed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def made_ahead(make: Callable[[int], T], first: int, last: int) -> Iterator[T]:
    """Yield ``make(first)`` to ``make(last - 1)``, one being made ahead in a thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = pool.submit(make, first) if first < last else None
        for number in range(first, last):
            assert pending is not None
            item = pending.result()
            pending = pool.submit(make, number + 1) if number + 1 < last else None
            yield item
