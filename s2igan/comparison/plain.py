"""Runs variants by calling the stages one after the other, without DVC and MLflow.

The outputs of a stage lie in ``.s2igan/tables/<stage>-<key>``, where the key hashes the parameters
that ``dvc.yaml`` lists for it, the bytes of what it reads and the source files that it runs; the
parameters that it was given and what it said lie beside them. Rows share every stage that is the
same for both, a finished stage never runs again, and one that was stopped goes on from its own
checkpoint.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from s2igan.comparison.outcome import Failure, Outcome
from s2igan.comparison.pipeline import PipelineStage, read_pipeline
from s2igan.comparison.variants import Variant
from s2igan.engine.folders import fresh_folder
from s2igan.engine.runtime import usable_cores

_RECORD = "outputs.json"
_PATIENCE_S = 60
_POLL_S = 0.5
_STOPPED = "stopped"


class StageError(Exception):
    """A stage left with an error; the message is one line."""


@dataclass
class PlainRunner:
    """Runs variants in this repository's folder.

    Args:
        root: the folder that holds ``dvc.yaml`` and the package ``stages``.
        store: where outputs are kept.
        jobs: variants that are worked on at the same time; they share the machine's cores.
    """

    root: Path
    store: Path
    jobs: int = 1
    _failed: dict[str, str] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _running: "set[subprocess.Popen[bytes]]" = field(default_factory=set)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, variants: Sequence[Variant]) -> list[Outcome | Failure]:
        """Run what has not run yet; what fails in one variant does not stop the others."""
        names = [f"{v.name} ({n} of {len(variants)})" for n, v in enumerate(variants, start=1)]
        with ThreadPoolExecutor(self.jobs) as pool:
            results = [
                pool.submit(self._start, *each) for each in zip(variants, names, strict=True)
            ]
            try:
                return [result.result() for result in results]
            except BaseException:
                self._stop()
                raise

    def _start(self, variant: Variant, name: str) -> Outcome | Failure:
        if self._stopping.is_set():
            return Failure(variant, _STOPPED)
        say(name)
        return self._variant(variant, start=True)

    def _stop(self) -> None:
        # A stage that is told to end closes its run and keeps its checkpoint first.
        self._stopping.set()
        processes = list(self._running)
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def find(self, variants: Sequence[Variant]) -> list[Outcome | Failure]:
        """Return what is there of the variants without running anything."""
        return [self._variant(variant, start=False) for variant in variants]

    def _variant(self, variant: Variant, *, start: bool) -> Outcome | Failure:
        places: dict[str, Path] = {}
        for stage in read_pipeline(self.root / "dvc.yaml"):
            folder = self.store / f"{stage.name}-{self._key(stage, variant, places)}"
            try:
                if not _recorded(folder, stage.outs):
                    if not start:
                        return Failure(variant, f"{stage.name} has not run")
                    self._run_stage(stage, variant, places, folder)
            except StageError as error:
                return Failure(variant, str(error))
            places |= dict.fromkeys(stage.outs, folder)

        def read(path: str) -> bytes | None:
            file = places.get(path, self.root) / path
            return file.read_bytes() if path in places and file.is_file() else None

        return Outcome(variant, read)

    def _key(self, stage: PipelineStage, variant: Variant, places: dict[str, Path]) -> str:
        parts = {
            "arguments": dict(stage.arguments),
            "outs": stage.outs,
            "params": stage.depends_on(variant.values),
            "sources": stage.source_hash(self.root),
            "inputs": {path: self._input_hash(path, places) for path in stage.data},
        }
        text = json.dumps([stage.name, parts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def _input_hash(self, path: str, places: dict[str, Path]) -> str:
        """Hash what lies at ``path``: recorded for a whole output, else its bytes."""
        if (folder := places.get(path)) is not None:
            return _recorded(folder, (path,))[path]
        place = _place(path, places, self.root)
        if place not in self._hashes:
            self._hashes[place] = hash_tree(place)
        return self._hashes[place]

    def _run_stage(
        self, stage: PipelineStage, variant: Variant, places: dict[str, Path], folder: Path
    ) -> None:
        with _locked(folder.with_name(f"{folder.name}.lock"), self._stopping) as lock:
            if _recorded(folder, stage.outs):  # Another row or process has run it in the meantime.
                return
            if folder.name in self._failed:
                raise StageError(self._failed[folder.name])
            with fresh_folder(folder) as partial:
                written = places | dict.fromkeys(stage.outs, partial)
                params = folder.with_name(f"{folder.name}.yaml")
                params.write_text(yaml.safe_dump(variant.values, sort_keys=False), encoding="utf-8")
                command = self._command(stage, params, written, partial)
                log = folder.with_name(f"{folder.name}.log")
                say(f"{stage.name}, log {str(log)!r}")
                if code := self._execute(command, log, variant.name, lock):
                    reason = f"{stage.name}: {_last_line(log) or f'exit code {code}'}"
                    self._failed[folder.name] = reason
                    raise StageError(reason)
                self._record(stage, partial)

    def _execute(self, command: list[str], log: Path, name: str, lock: int) -> int:
        """Run a stage, showing and keeping what it says; return its exit code."""
        before = f"{name}: ".encode() if self.jobs > 1 else b""
        experiment = os.environ.get("DVC_EXP_NAME") or name
        with (
            log.open("wb") as kept,
            # A stage that outlives this process keeps the lock, so that no second one starts
            # beside it.
            subprocess.Popen(
                command,
                cwd=self.root,
                env=environment_of_jobs(self.jobs) | {"DVC_EXP_NAME": experiment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
            ) as process,
        ):
            self._running.add(process)
            if self._stopping.is_set():  # Told so between the lock and here.
                process.terminate()
            for line in process.stdout or ():
                kept.write(line)
                kept.flush()
                sys.stderr.write((before + line).decode(errors="replace"))
                sys.stderr.flush()
        self._running.discard(process)
        return process.returncode

    def _command(
        self, stage: PipelineStage, params: Path, places: dict[str, Path], partial: Path
    ) -> list[str]:
        command = [sys.executable, "-m", f"stages.{stage.name}", "--params", str(params)]
        for option, path in stage.arguments.items():
            place = partial / path if stage.writes(path) else _place(path, places, self.root)
            if stage.writes(path):
                place.parent.mkdir(parents=True, exist_ok=True)
            command += [option, str(place)]
        return command

    def _record(self, stage: PipelineStage, partial: Path) -> None:
        if missing := [out for out in stage.outs if not (partial / out).exists()]:
            raise StageError(f"{stage.name}: did not write {', '.join(missing)}")
        hashes = {out: hash_tree(partial / out) for out in stage.outs}
        text = json.dumps(hashes, indent=2) + "\n"
        (partial / _RECORD).write_text(text, encoding="utf-8")


def _recorded(folder: Path, outs: Sequence[str]) -> dict[str, str]:
    """Return the hashes of a finished stage's outputs; of one that has to run, none.

    A record that cannot be read, such as an empty one after a power failure, is none.
    """
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return {out: str(record[out]) for out in outs}
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return {}


def hash_tree(path: Path) -> str:
    """Hash the names and bytes of a file, or of all files of a folder."""
    digest = hashlib.sha256()
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    for file in files:
        if "__pycache__" in file.parts:
            continue
        digest.update(f"\0{file.relative_to(path)}\0".encode())
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()[:32]


def _place(path: str, places: dict[str, Path], root: Path) -> Path:
    """Return where a path of the pipeline lies: in the folder of the stage that wrote it."""
    for out, folder in places.items():
        if Path(path).is_relative_to(out):
            return folder / path
    return root / path


def environment_of_jobs(jobs: int) -> dict[str, str]:
    """Return the variables of a process that shares the cores with others like it.

    What the user has set stays. More threads than cores slow every one of them down.
    """
    share = str(max(1, usable_cores() // jobs))
    shares = {"OMP_NUM_THREADS": share, "S2IGAN_WORKERS": share} if jobs > 1 else {}
    return {**shares, **os.environ}


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def _locked(path: Path, stopping: threading.Event) -> Iterator[int]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        told = False
        while True:
            if stopping.is_set():
                raise StageError(_STOPPED)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"waiting for another run of {path.stem}")
                    told = True
                stopping.wait(_POLL_S)
        yield file.fileno()


def say(message: str) -> None:
    """Tell on stderr, in one line, what goes on in the making of a table."""
    sys.stderr.write(f"table: {message}\n")
    sys.stderr.flush()
