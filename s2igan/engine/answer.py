"""What a command answers on standard output, where there may be no room, or nobody who reads."""

import os
import sys

from s2igan.errors import UserError

READER_GONE = 141
"""What a shell shows of a program that SIGPIPE ends, 128 plus its number; Windows has no such."""


def answer(text: str) -> None:
    """Write lines to standard output, at once.

    Raises:
        UserError: if it cannot be written.
        SystemExit: if its reader has gone, as ``head`` goes once it has enough; with the code
            :data:`READER_GONE`.
    """
    if sys.stdout is None:  # so Python has it where the shell closed it
        raise _unwritten("a closed one")
    try:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
    except OSError as error:
        # Python writes what is left when it ends, and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_GONE) from error
        raise _unwritten(error.strerror) from error


def _unwritten(got: str | None) -> UserError:
    return UserError("standard output", got=got, expected="a terminal, file or pipe to write to")
