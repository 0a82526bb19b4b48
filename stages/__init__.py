"""The stages of ``dvc.yaml``, one thin module each: paths, one config section, one function.

DVC starts a stage by the first ``python`` on ``PATH``, which need not be the one that DVC runs in:
one that lacks the packages is told in one line.
"""

import signal
import sys
from importlib.util import find_spec

from s2igan.errors import EXIT_USER_ERROR, UserError, check_system

if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until the stage listens, Ctrl-C would show the stack of what it is importing.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

try:
    check_system()
    for _package in ("numpy", "pydantic", "torch", "tqdm", "yaml"):
        if find_spec(_package) is None:
            raise UserError(
                f"Python {sys.executable!r}",
                got=f"no package {_package}",
                expected="the environment that `make env` builds",
                fix="run `source .venv/bin/activate`",
            )
except UserError as _error:
    sys.stderr.write(f"{_error}\n")
    raise SystemExit(EXIT_USER_ERROR) from None
