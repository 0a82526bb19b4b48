"""Runs a module of this folder as a command, as the product's own commands run."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Never

from s2igan.errors import UserError, leave, refused


def run(main: Callable[[], int | None]) -> Never:
    """Run ``main`` and end with its exit code; what a user can mend is told in one line, code 2."""
    program = f"bench.{Path(sys.argv[0]).stem}"
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(leave(program, str(error)))
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(leave(program, refused(error)))
