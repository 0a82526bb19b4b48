"""Progress on stderr: a bar in a terminal, plain lines with rate and time left elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Generic, Never, Self, TypeVar, overload

from tqdm import tqdm

T = TypeVar("T")

_SILENCE_S = 60.0  # a line at every tenth, and where a tenth takes longer, this often


class Bar(Generic[T]):
    """Counts steps; iterate over it, or call :meth:`update` inside a ``with`` block.

    Arguments are those of :func:`bar`, which makes it; ``total`` counts the steps before ``done``,
    too, and is None where unknown.
    """

    def __init__(
        self,
        items: Iterable[T],
        total: int | None,
        desc: str,
        *,
        done: int,
        unit: str,
        each: int,
        shown: bool,
    ) -> None:
        self._items = items
        self._total, self._desc, self._unit, self._each = total, desc, unit, each
        self._shown = shown
        self._done = self._said = done
        self._began = self._said_at = time.monotonic()
        self._note = ""
        self._live: tqdm[Never] | None = None
        if shown and sys.stderr.isatty():
            self._live = tqdm(
                total=total,
                desc=desc,
                initial=done,
                unit=f" {unit}" if unit else "it",
                unit_scale=each if each > 1 else False,
                dynamic_ncols=True,
            )

    def update(self, steps: int = 1) -> None:
        """Count ``steps`` more."""
        self._done += steps
        if self._live is not None:
            self._live.update(steps)
        elif self._total:
            tenth = 10 * self._done // self._total > 10 * self._said // self._total
            if tenth or time.monotonic() - self._said_at >= _SILENCE_S:
                self._line(self._state())

    def note(self, text: str) -> None:
        """Show ``text``, losses say, behind the bar and in the lines from now on."""
        self._note = text
        if self._live is not None:
            self._live.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        """Finish the display."""
        if self._live is not None:
            self._live.close()
        elif not self._total:
            seconds = time.monotonic() - self._began
            self._line(f"done ({self._done:,}{self._named()} in {duration(seconds)})")

    def _state(self) -> str:
        now, total = time.monotonic(), self._total or 1
        rate = (self._done - self._said) / max(now - self._said_at, 1e-9)
        parts = [f"{100 * self._done // total:3d} %", f"{self._done:,} of {total:,}"]
        parts.append(f"{_number(rate * self._each)}{self._named()}/s")
        if self._done < total and rate:
            parts.append(f"{duration((total - self._done) / rate)} left")
        else:
            parts.append(f"took {duration(now - self._began)}")
        self._said, self._said_at = self._done, now
        return ", ".join([*parts, self._note] if self._note else parts)

    def _named(self) -> str:
        return f" {self._unit}" if self._unit else ""

    def _line(self, state: str) -> None:
        if self._shown:
            sys.stderr.write(f"{self._desc}: {state}\n")

    def __iter__(self) -> Iterator[T]:
        with self:
            for item in self._items:
                yield item
                self.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@overload
def bar(
    items: int, desc: str, *, done: int = 0, unit: str = "", each: int = 1, shown: bool = True
) -> Bar[None]: ...


@overload
def bar(
    items: Iterable[T],
    desc: str,
    *,
    total: int | None = None,
    unit: str = "",
    each: int = 1,
    shown: bool = True,
) -> Bar[T]: ...


def bar(
    items: Iterable[T] | int,
    desc: str,
    *,
    total: int | None = None,
    done: int = 0,
    unit: str = "",
    each: int = 1,
    shown: bool = True,
) -> Bar[T] | Bar[None]:
    """Return a progress bar over ``items``, or over a number of steps that the caller counts.

    Args:
        items: what to iterate over, or how many steps :meth:`Bar.update` will count.
        desc: the name of the work.
        total: number of items where ``items`` has no length.
        done: of the steps, those that an earlier run has done.
        unit: what the rate counts, such as ``images``.
        each: units in a step.
        shown: whether to say anything.
    """
    if isinstance(items, int):
        return Bar[None]((), items, desc, done=done, unit=unit, each=each, shown=shown)
    if total is None and isinstance(items, Sized):
        total = len(items)
    return Bar(items, total, desc, done=0, unit=unit, each=each, shown=shown)


def duration(seconds: float) -> str:
    """Return ``seconds`` as a person says them: ``12 s``, ``3 min 20 s``, ``41 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
