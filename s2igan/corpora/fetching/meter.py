"""How much of a file has arrived, shown in MiB."""

from typing import Never, Self

from s2igan.engine.progress import Bar, bar

_MIB = 2**20


class Meter:
    """A progress bar that appears with the first number.

    Args:
        name: of the file.
    """

    def __init__(self, name: str) -> None:
        self._desc = f"{name}, MiB"
        self._bar: Bar[None] | Bar[Never] | None = None
        self._shown = 0

    def show(self, size: int, total: int | None) -> None:
        """Show that ``size`` of ``total`` bytes are here."""
        if self._bar is None:
            self._bar = bar(_mib(total), self._desc) if total else bar((), self._desc)
        if _mib(size) != self._shown:
            self._bar.update(_mib(size) - self._shown)
            self._shown = _mib(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _mib(size: int) -> int:
    return -(-size // _MIB)
