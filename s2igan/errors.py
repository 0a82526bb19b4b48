"""What a user may have done wrong, told in one line.

Everything that a person can cause and mend is raised as :class:`UserError`; the stages and the
command line print its one line to stderr and leave with :data:`EXIT_USER_ERROR`.
"""

import os
import sys

EXIT_USER_ERROR = 2

_LONGEST_LINE = 4000  # letters; a terminal holds about as many


class UserError(Exception):
    """Bad input, told as *what – got – expected – what to do*.

    Args:
        what: the thing that is wrong, with its name (a dotted key, a file, a class).
        got: what was found there.
        expected: what would have been right.
        fix: what the reader can do about it.

    Attributes:
        what: see above.
        got: see above.
    """

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, fix: str | None = None
    ) -> None:
        self.what, self.got = what, got
        parts = [what]
        if got is not None:
            parts.append(f"got {got}")
        if expected is not None:
            parts.append(f"expected {expected}")
        if fix is not None:
            parts.append(fix)
        super().__init__("; ".join(parts))


def leave(program: str, message: str, code: int = EXIT_USER_ERROR) -> int:
    """Say on stderr in one line why a program ends, and return its exit code.

    A line that fills more than a terminal loses its middle; at its end stands what to do.
    """
    line = " ".join(message.split())
    if len(line) > _LONGEST_LINE:
        begin, end = line[: 3 * _LONGEST_LINE // 4], line[-_LONGEST_LINE // 4 :]
        line = f"{begin} … ({len(line) - _LONGEST_LINE} letters) … {end}"
    sys.stderr.write(f"{program}: {line}\n")
    return code


def open_stderr() -> None:
    """Open the standard error where the shell has closed it: Python has none there to write to."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the end


def check_system() -> None:
    """Check that the pipeline can run on this system; speaking to a model can on any.

    Raises:
        UserError: on Windows itself, which lacks locks, signals and links that stages work with.
    """
    if sys.platform == "win32":
        raise UserError(
            "the system",
            got="Windows",
            expected="Linux or macOS",
            fix="clone the repository inside of WSL2 and start again there",
        )


def refused(error: OSError) -> str:
    """Say in one line what the system refuses, and of which file where it says that."""
    said = error.strerror or str(error)
    return said if error.filename is None else f"{str(error.filename)!r}; got {said}"


def gist(error: Exception) -> str:
    """Name an error with the first sentence of what it says; the advice of a library stays out."""
    sentence = " ".join(str(error).split()).partition(". ")[0][:200]
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__


def unreadable_output(what: str, got: object, stage: str = "") -> UserError:
    """Return the error of an output of the pipeline that is missing, damaged or of other code.

    Args:
        what: the output, with its path.
        got: what was found; of an exception its first line.
        stage: what wrote it, where that is known.
    """
    return UserError(
        what,
        got=str(got).partition("\n")[0] or type(got).__name__,
        expected=f"an output of the stage {stage}" if stage else "an output of an earlier stage",
        fix=f"run `dvc repro {stage}`" if stage else "run `dvc repro`",
    )
