"""What every stage does around its one function: arguments, parameters, session, errors."""

import argparse
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
)
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from s2igan.engine.checkpoint import CheckpointStore, checkpoint_key, open_store
from s2igan.engine.closure import import_closure
from s2igan.engine.costs import hash_sources, metered
from s2igan.engine.launch import (
    EXIT_DESERTED,
    LAUNCHED,
    Rank,
    current_rank,
    launched_rank,
    run_locally,
)
from s2igan.engine.runtime import Runtime, read_runtime, state_folder
from s2igan.engine.session import Session
from s2igan.engine.tracking import identify, open_tracker
from s2igan.errors import EXIT_USER_ERROR, UserError

if TYPE_CHECKING:
    import torch

P = TypeVar("P", bound=BaseModel)
Paths = Mapping[str, Path]

_SOURCES = Path(__file__).parents[2]
_EXIT_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Stage(Generic[P]):
    """One stage of the pipeline.

    Attributes:
        name: its name in ``dvc.yaml`` and among the modules of ``stages``.
        section: its section of ``params.yaml``.
        inputs: arguments that name what it reads.
        outputs: arguments that name what it writes.
        read_params: reads and checks the whole file of parameters.
        run: the one function; gets all parameters, the paths by argument, and the session.
        uses_device: whether it computes on a device, and says on which; may depend on parameters.
            Several processes share its work then; of any other stage only the first one runs.
        resumes: whether it keeps checkpoints.
        all_params: whether its tracked run carries every section instead of its own.
    """

    name: str
    section: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    read_params: Callable[[Path], P]
    run: Callable[[P, Paths, Session], None]
    uses_device: bool | Callable[[P], bool] = False
    resumes: bool = False
    all_params: bool = False

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the stage with command-line arguments and return its exit code.

        What a user can mend, a full disk among it, is told in one line with exit code 2.
        """
        paths = self._arguments(argv)
        try:
            with _terminable():
                return self._start(paths, sys.argv[1:] if argv is None else argv)
        except UserError as error:
            if os.environ.get(LAUNCHED) and _is_deserted(error):
                return EXIT_DESERTED
            return self._leave(str(error), EXIT_USER_ERROR)
        except KeyboardInterrupt:
            return self._leave("interrupted", 128 + signal.SIGINT)
        except Exception as error:
            if not disk_is_full(error):
                raise
            return self._leave("the disk is full; free some space and run again", EXIT_USER_ERROR)

    def _start(self, paths: Paths, argv: Sequence[str]) -> int:
        """Run here, or as several processes of this machine; return the exit code."""
        params = self.read_params(paths["params"])
        self._check_inputs(paths)
        rank = current_rank()
        if not self._computes(params):
            if rank.is_first:
                self._run(params, paths, Rank(local=rank.local))
            return 0
        count = 1 if launched_rank() else _local_processes(read_runtime())
        if count > 1:
            return run_locally(f"stages.{self.name}", argv, count)
        self._run(params, paths, rank)
        return 0

    def _computes(self, params: P) -> bool:
        used = self.uses_device
        return used if isinstance(used, bool) else used(params)

    def _arguments(self, argv: Sequence[str] | None) -> dict[str, Path]:
        parser = argparse.ArgumentParser(prog=f"python -m stages.{self.name}", allow_abbrev=False)
        parser.add_argument("--params", type=Path, default=Path("params.yaml"))
        for name in (*self.inputs, *self.outputs):
            parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
        return vars(parser.parse_args(argv))

    def _check_inputs(self, paths: Paths) -> None:
        for name in self.inputs:
            if not paths[name].exists():
                raise UserError(
                    f"{name} {str(paths[name])!r}",
                    got="no such file or folder",
                    expected="an output of an earlier stage",
                    fix="run `dvc repro`",
                )

    def _run(self, params: P, paths: Paths, rank: Rank) -> None:
        outputs = [paths[name] for name in self.outputs]
        with _no_half_files(outputs), self._session(params, paths, rank) as session:
            self.run(params, paths, session)
            session.checkpoints.clear()

    @contextmanager
    def _session(self, params: P, paths: Paths, rank: Rank) -> Iterator[Session]:
        runtime, first = read_runtime(), rank.is_first
        values = params.model_dump(mode="json")
        sources = [_SOURCES / path for path in import_closure(f"stages.{self.name}", _SOURCES)]
        inputs = [paths[name] for name in self.inputs]
        key = checkpoint_key(json.dumps(values[self.section]), inputs, sources)
        with ExitStack() as stack:
            if not first:  # What all of them would say is said once; errors come after this block.
                stack.enter_context(redirect_stderr(stack.enter_context(open(os.devnull, "w"))))
            device = _device(chosen=self._computes(params), rank=rank)
            stack.enter_context(_together(rank, device))
            store = CheckpointStore(None)
            if self.resumes:
                folder = state_folder() / "checkpoints" / f"{self.name}-{key}"
                store = stack.enter_context(open_store(folder, readonly=not first))
            tracked = first and runtime.tracking == "mlflow"
            tracker = stack.enter_context(open_tracker(identify(self.name, key), enabled=tracked))
            own = values if self.all_params else {self.section: values[self.section]}
            tracker.params(dict(_flat(own)))
            if first:
                meter = metered(self.name, key, hash_sources(sources), values, device)
                stack.enter_context(meter)
            workers = max(1, runtime.worker_count // rank.local_world)
            yield Session(device, workers, tracker, store, progress=first)

    def _leave(self, message: str, code: int) -> int:
        sys.stderr.write(f"{self.name}: {' '.join(message.split())}\n")
        return code


def disk_is_full(error: BaseException) -> bool:
    """Tell whether a full disk or an exhausted quota is behind ``error``.

    Libraries tell it as an ``OSError``, or in the words of the system inside errors of their own.
    """
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(chain) or "Disk quota exceeded" in str(chain):
            return True
        chain = chain.__cause__ or chain.__context__
    return False


def _device(*, chosen: bool, rank: Rank) -> "torch.device":
    import torch

    if not chosen:
        return torch.device("cpu")
    from s2igan.engine.device import choose_device

    return choose_device(rank=rank)


def _together(rank: Rank, device: "torch.device") -> AbstractContextManager[None]:
    if rank.world == 1:
        return nullcontext()
    from s2igan.engine.distributed import together

    return together(rank, device)


def _is_deserted(error: UserError) -> bool:
    from s2igan.engine.distributed import DesertedError

    return isinstance(error, DesertedError)


def _local_processes(runtime: Runtime) -> int:
    if runtime.processes != "auto":
        return runtime.processes
    from s2igan.engine.device import gpu_is_present, usable_gpus

    return max(1, usable_gpus()) if runtime.device in ("auto", "cuda") and gpu_is_present() else 1


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def _terminable() -> Iterator[None]:
    # DVC stops a stage by a signal; as an exception it lets outputs, locks and runs be closed.
    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(_EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _no_half_files(outputs: Sequence[Path]) -> Iterator[None]:
    # Folders are whole or absent by themselves; a file that a failing stage touched is removed.
    before = {path: _stamp(path) for path in outputs}
    try:
        yield
    except BaseException:
        for path, stamp in before.items():
            if path.is_file() and _stamp(path) != stamp:
                path.unlink()
        raise


def _stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None
