"""What every stage does around its one function: arguments, parameters, session, errors."""

import argparse
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from s2igan.engine.checkpoint import CheckpointStore, checkpoint_key, open_store
from s2igan.engine.closure import check_deps, own_sources
from s2igan.engine.costs import device_name, hash_sources, machine, metered
from s2igan.engine.interrupts import LAUNCHED, Interrupts
from s2igan.engine.launch import (
    EXIT_DESERTED,
    Rank,
    current_rank,
    launched_rank,
    run_locally,
    told_by,
)
from s2igan.engine.runtime import Runtime, read_runtime, state_folder
from s2igan.engine.session import Session
from s2igan.engine.shortage import DISK_FULL, FEWER_WORKERS, disk_is_full, memory_told
from s2igan.engine.showcase import dotted
from s2igan.engine.tracking import identify, open_tracker
from s2igan.errors import UserError, leave, open_stderr, refused

if TYPE_CHECKING:
    import torch

P = TypeVar("P", bound=BaseModel)
Paths = Mapping[str, Path]

MEMORY_KNOBS: Mapping[str, str] = {
    "tts": "tts.tacotron2.batch",
    "features": "features.batch",
    "train_sen": "sen.batch",
    "embed": "embed.frames_per_batch",
    "train_rdg": "rdg.batch_size",
    "sample": "sample.batch_size",
    "evaluate": "evaluate.batch_size",
}
"""By stage the parameter to lower where memory runs out on the device."""

NETWORK_LISTS: Mapping[str, Sequence[str]] = {
    "tts": ["tts"],
    "features": ["features"],
    "train_rdg": ["features"],
    "evaluate": ["evaluate", "features"],
}
"""By stage the lists ``<name>.json`` in its input ``weights`` of the networks that it loads."""

OF_OTHER_SECTIONS: Mapping[str, Sequence[str]] = {
    "download": [
        "tts.engine",
        "tts.tacotron2.vocoder",
        "features.backbones",
        "evaluate.backbone",
        "evaluate.fidelity_backbone",
        "evaluate.is_backbone",
    ]
}
"""By stage the parameters that it reads of other sections than its own."""


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
        resumes: whether it is a training: it keeps checkpoints, and load and memory are watched.
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

        What a user can mend is told in one line with exit code 2: a full disk, too little memory
        and a file that may not be read among it.
        """
        open_stderr()
        # What is loaded by now stays. To go through it for cycles, at the end once more, would take
        # a fifth of the time of a short stage.
        gc.freeze()
        paths = self._arguments(argv)
        try:
            with Interrupts().handled() as interrupts:
                return self._start(paths, sys.argv[1:] if argv is None else argv, interrupts)
        except UserError as error:
            if os.environ.get(LAUNCHED) and _is_deserted(error):
                return EXIT_DESERTED
            return leave(self.name, str(error))
        except KeyboardInterrupt:
            return leave(self.name, "interrupted", 128 + signal.SIGINT)
        except Exception as error:
            if disk_is_full(error):
                return leave(self.name, DISK_FULL)
            if isinstance(error, OSError) and error.filename is not None:
                return leave(self.name, refused(error))
            raise

    def key(self, params: P, paths: Paths, sources: Sequence[Path]) -> str:
        """Hash what a run computes from; its checkpoints are found by it.

        Args:
            params: all of them; those of the stage's section count, and what it also reads.
            paths: by argument, the inputs among them.
            sources: what :meth:`sources` returns.
        """
        return checkpoint_key(self._parameters(params), self._read(paths), sources)

    def sources(self) -> list[Path]:
        """Return the Python files that a run may load, its own module among them."""
        return own_sources(f"stages.{self.name}")

    def _parameters(self, params: P) -> str:
        values = params.model_dump(mode="json")
        others = OF_OTHER_SECTIONS.get(self.name, ())
        read = {key: value for key, value in dotted(values) if key in others}
        return json.dumps({**values[self.section], **read})

    def _read(self, paths: Paths) -> Iterator[Path]:
        for name in self.inputs:
            if name == "weights":  # where other stages' networks lie, too
                yield from (paths[name] / f"{list_}.json" for list_ in NETWORK_LISTS[self.name])
            else:
                yield paths[name]

    def _start(self, paths: Paths, argv: Sequence[str], interrupts: Interrupts) -> int:
        """Run here, or as several processes of this machine; return the exit code."""
        params = self.read_params(paths["params"])
        self._check_inputs(paths)
        rank = current_rank()
        if not self._computes(params):
            if rank.is_first:
                self._run(params, paths, Rank(local=rank.local), interrupts)
                return 0
            idle = f"nothing to do as {rank} ({told_by()}); the first one does it"
            return leave(self.name, idle, 0)
        count = 1 if launched_rank() else _local_processes(read_runtime())
        if count > 1:
            return run_locally(f"stages.{self.name}", argv, count, interrupts)
        self._run(params, paths, rank, interrupts)
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

    def _run(self, params: P, paths: Paths, rank: Rank, interrupts: Interrupts) -> None:
        with ExitStack() as locks:
            with (
                _no_half_files([paths[name] for name in self.outputs]),
                memory_told(self._memory_advice(params)),
                self._session(params, paths, rank, interrupts, locks) as session,
            ):
                self.run(params, paths, session)
            # Whatever could still have failed or been interrupted is over, in every process.
            session.checkpoints.clear()

    @contextmanager
    def _session(
        self, params: P, paths: Paths, rank: Rank, interrupts: Interrupts, locks: ExitStack
    ) -> Iterator[Session]:
        runtime, first = read_runtime(), rank.is_first
        values, sources = params.model_dump(mode="json"), self.sources()
        check_deps(self.name, sources)
        key = self.key(params, paths, sources)
        with ExitStack() as stack:
            if not first:  # What all of them would say is said once; errors come after this block.
                stack.enter_context(redirect_stderr(stack.enter_context(open(os.devnull, "w"))))
            device = _device(rank) if self._computes(params) else None
            stack.enter_context(_together(rank, device, key))
            store = CheckpointStore(None)
            if self.resumes:
                folder = state_folder() / "checkpoints" / f"{self.name}-{key}"
                store = locks.enter_context(open_store(folder, readonly=not first))
            tracked = first and runtime.tracking == "mlflow"
            identity = identify(
                self.name,
                key,
                machine=machine(),
                device=device_name(device),
                precision=_precision(device, values[self.section]),
            )
            tracker = stack.enter_context(
                open_tracker(identity, enabled=tracked, watched=self.resumes)
            )
            own = values if self.all_params else {self.section: values[self.section]}
            tracker.params(dict(dotted(own)))
            if first:
                meter = metered(self.name, key, hash_sources(sources), values, device)
                stack.enter_context(meter)
            yield Session(
                device,
                rank.share(runtime.workers),
                tracker,
                store,
                progress=first,
                checkpoint_seconds=60 * runtime.checkpoint_minutes,
                interrupts=interrupts,
            )
            self._check_unchanged(params, paths, sources, key)

    def _check_unchanged(self, params: P, paths: Paths, sources: Sequence[Path], key: str) -> None:
        # DVC looks when a stage has ended, and takes its outputs for those of what lies there then.
        now = self.read_params(paths["params"])
        if self.key(now, paths, sources) == key:
            return
        same = self._parameters(now) == self._parameters(params)
        raise UserError(
            "its inputs and source files"
            if same
            else f"its parameters in {str(paths['params'])!r}",
            got="changes since it began",
            expected="what it began with, since DVC records what it finds at the end",
            fix="run it again; if you take the changes back, a training goes on from its last "
            "checkpoint",
        )

    def _memory_advice(self, params: P) -> str:
        if self.name in MEMORY_KNOBS and self._computes(params):
            return f"lower {MEMORY_KNOBS[self.name]}"
        return FEWER_WORKERS


def _device(rank: Rank) -> "torch.device":
    from s2igan.engine.device import choose_device

    return choose_device(rank)


def _precision(device: "torch.device | None", section: Mapping[str, Any]) -> str:
    if device is None or "precision" not in section:
        return ""
    from s2igan.engine.device import usable_precision

    return usable_precision(device, section["precision"])


@contextmanager
def _together(rank: Rank, device: "torch.device | None", key: str) -> Iterator[None]:
    if rank.world == 1 or device is None:
        yield
        return
    from s2igan.engine.distributed import require_alike
    from s2igan.engine.meeting import together

    with together(rank, device):
        require_alike(key)
        yield


def _is_deserted(error: UserError) -> bool:
    from s2igan.engine.meeting import DesertedError

    return isinstance(error, DesertedError)


def _local_processes(runtime: Runtime) -> int:
    if runtime.processes != "auto":
        return runtime.processes
    from s2igan.engine.device import gpu_is_present, usable_gpus

    return max(1, usable_gpus()) if runtime.device in ("auto", "cuda") and gpu_is_present() else 1


@contextmanager
def _no_half_files(outputs: Sequence[Path]) -> Iterator[None]:
    # Folders are whole or absent by themselves; a file that a failing stage touched is removed.
    before = {path: _stamp(path) for path in outputs}
    try:
        yield
    except BaseException:
        for path, stamp in before.items():
            if _stamp(path) not in (None, stamp):
                path.unlink(missing_ok=True)  # every process of a stage does so
        raise


def _stamp(path: Path) -> int | None:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime_ns if path.is_file() else None
    return None
