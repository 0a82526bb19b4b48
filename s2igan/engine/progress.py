"""Progress bars on stderr: live in a terminal, a line per tenth elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Generic, Never, Self, TypeVar, overload

from tqdm import tqdm

T = TypeVar("T")


class Bar(Generic[T]):
    """Counts steps; iterate over it, or call :meth:`update` inside a ``with`` block."""

    def __init__(self, items: Iterable[T], total: int | None, desc: str) -> None:
        self._items = items
        self._total = total
        self._desc = desc
        self._done = 0
        self._tenth = 0
        self._began = time.monotonic()
        self._live: tqdm[Never] | None = None
        if sys.stderr.isatty():
            self._live = tqdm(total=total, desc=desc, dynamic_ncols=True)

    def update(self, steps: int = 1) -> None:
        """Count ``steps`` more."""
        self._done += steps
        if self._live is not None:
            self._live.update(steps)
        elif self._total:
            tenth = 10 * self._done // self._total
            if tenth > self._tenth:
                self._tenth = tenth
                self._line(f"{10 * tenth:3d} %")

    def note(self, text: str) -> None:
        """Show ``text`` behind the bar of a terminal."""
        if self._live is not None:
            self._live.set_postfix_str(text)

    def close(self) -> None:
        """Finish the display."""
        if self._live is not None:
            self._live.close()
        elif not self._total:
            self._line("done")

    def _line(self, state: str) -> None:
        seconds = time.monotonic() - self._began
        sys.stderr.write(f"{self._desc}: {state} ({self._done} in {seconds:.0f} s)\n")

    def __iter__(self) -> Iterator[T]:
        with self:
            for item in self._items:
                yield item
                self.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@overload
def bar(items: int, desc: str) -> Bar[None]: ...


@overload
def bar(items: Iterable[T], desc: str, *, total: int | None = None) -> Bar[T]: ...


def bar(items: Iterable[T] | int, desc: str, *, total: int | None = None) -> Bar[T] | Bar[None]:
    """Return a progress bar over ``items``, or over a number of steps that the caller counts.

    Args:
        items: what to iterate over, or how many steps :meth:`Bar.update` will count.
        desc: the name of the work.
        total: number of items where ``items`` has no length.
    """
    if isinstance(items, int):
        return Bar[None]((), items, desc)
    if total is None and isinstance(items, Sized):
        total = len(items)
    return Bar(items, total, desc)
