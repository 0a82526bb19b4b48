"""What every kind of server is to a transfer: something that sends a file from some byte on."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Answer:
    """One answer of a server.

    Attributes:
        start: which byte of the file the chunks begin with.
        total: bytes of the whole file; None where the server does not say.
        tag: names this version of the file (entity tag or date); None where the server does not.
        chunks: the bytes; raises :class:`BrokenOffError` where the connection breaks.
    """

    start: int
    total: int | None
    tag: str | None
    chunks: Iterable[bytes]


class Source(Protocol):
    """One address of a file that can be continued from any byte."""

    @property
    def address(self) -> str:
        """The address, as the manifest has it."""
        ...

    def open(self, start: int, tag: str | None) -> AbstractContextManager[Answer]:
        """Ask for the file from byte ``start`` on, if it is still the version ``tag``.

        The answer begins with ``start``, or with 0 where it cannot be continued; its own tag says
        which version it is.

        Raises:
            RefusedError: if the address does not give the file.
            BrokenOffError: if the server cannot answer now.
        """
        ...
