"""Trainings that are killed again and again, against one that is left alone.

    python -m bench.kills [--kills 20] [--seed 1] [--params presets/smoke.yaml] [--steps 40]
                          [--every 3] [--work DIR] [--json FILE]

The stages up to `embed` make their inputs in a temporary folder, with the parameters of a file and,
for both trainings, other numbers of steps. Each training first runs to its end untouched; then it
runs again and is sent SIGKILL at random moments of its life, every second time in the middle of
the write of a checkpoint, and started again each time until the kills are used up; then it may end.
Its outputs have to be the very same bytes, which holds on a CPU, and a run that finds a checkpoint
has to go on from there: a training that starts anew ends with the same bytes too.
"""

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml

from bench.command import run
from s2igan.engine.keeper import Keeper
from s2igan.engine.strict_yaml import read_yaml

ROOT = Path(__file__).parents[1]
FOLDERS = ("corpus", "weights", "speech", "features", "sen", "embeddings")
BEFORE = ("download", "tts", "features", "train_sen", "embed")
TRAININGS = {
    "train_sen": ("sen", "checkpoint_every_steps"),
    "train_rdg": ("rdg", "checkpoint_every"),
}
CHECKPOINTS = ".s2igan/checkpoints/*/step-*.pt"
PARTIAL = ".s2igan/checkpoints/*/partial"
TAKEN = "taken"
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Survival:
    """What became of one training.

    Attributes:
        stage: which.
        kills: times that it was killed.
        in_writes: those of them that left a half-written checkpoint behind.
        starts: runs that went on behind a checkpoint, or found every step taken by then.
        anew: runs that found a checkpoint and took another step first.
        seconds: wall time of all its runs together.
        undisturbed_seconds: wall time of the run that was left alone.
        same: whether all outputs are the same bytes as those of that run.
    """

    stage: str
    kills: int
    in_writes: int
    starts: int
    anew: int
    seconds: float
    undisturbed_seconds: float
    same: bool


@dataclass(frozen=True)
class Run:
    """How a stage is started: its name, and its folders and files by argument."""

    stage: str
    params: Path
    paths: Mapping[str, Path]
    outputs: Sequence[str]

    def start(self, root: Path, told_by: int | None = None) -> ForkServerProcess:
        """Start it in a process that has imported it already.

        Args:
            root: holds its checkpoints, and the number of every step that it takes.
            told_by: the step that it does not end before it has been told to; None is none.
        """
        argv = ["--params", str(self.params)]
        for name, path in self.paths.items():
            argv += [f"--{name}", str(path)]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([f"stages.{stage}" for stage in (*BEFORE, "train_rdg")])
        process = context.Process(target=_main, args=(self.stage, argv, str(root), told_by))
        process.start()
        return process

    def finish(self, root: Path) -> None:
        """Run it to its end.

        Raises:
            SystemExit: if it fails.
        """
        process = self.start(root)
        process.join(PATIENCE_S)
        if process.exitcode != 0:
            raise SystemExit(f"{self.stage} ended with code {process.exitcode}")

    def digest(self) -> str:
        """Hash what it wrote."""
        found = hashlib.sha256()
        for name in self.outputs:
            path = self.paths[name]
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                found.update(f"\0{file.relative_to(path.parent)}\0".encode() + file.read_bytes())
        return found.hexdigest()


def undisturbed(run: Run, root: Path) -> tuple[str, float]:
    """Run a training to its end; return the hash of what it wrote, and its seconds."""
    began = time.monotonic()
    run.finish(root)
    return run.digest(), time.monotonic() - began


def survive(
    run: Run, root: Path, kills: int, rng: np.random.Generator, alone: tuple[str, float]
) -> Survival:
    """Kill a training ``kills`` times, let it end, and compare what it wrote.

    Args:
        run: the training.
        root: an empty folder for its checkpoints.
        kills: how often.
        rng: draws the moments.
        alone: what :func:`undisturbed` returned.

    Raises:
        SystemExit: if it fails by itself.
    """
    expected, seconds = alone
    began, done, in_writes = time.monotonic(), 0, 0
    behind: list[bool] = []  # of each run that found a checkpoint: whether it went on from there
    while done < kills:
        found, before = last_kept(root), len(taken(root))
        since = time.time_ns()
        process = run.start(root)
        in_write = done % 2 == 1
        if in_write:
            # One is whole before, so that there is one to go on from.
            _await_write(process, root, int(rng.integers(1, 4)))
        else:
            process.join(float(rng.uniform(0, seconds)))
        if process.is_alive():
            process.kill()  # which minds no process that has just ended
            process.join()
            # One that has ended but for its exit has thrown its checkpoints away.
            done += not in_write or last_kept(root) > 0
            in_writes += _writes(root, since)
        elif process.exitcode:
            raise SystemExit(f"{run.stage} ended with code {process.exitcode}")
        behind += _went_on(found, taken(root)[before:], ended=process.exitcode == 0)
    found, before = last_kept(root), len(taken(root))
    run.finish(root)
    behind += _went_on(found, taken(root)[before:], ended=True)
    took = time.monotonic() - began
    return Survival(
        run.stage,
        kills=done,
        in_writes=in_writes,
        starts=behind.count(True),
        anew=behind.count(False),
        seconds=round(took, 1),
        undisturbed_seconds=round(seconds, 1),
        same=run.digest() == expected,
    )


def _went_on(found: int, steps: Sequence[int], ended: bool) -> list[bool]:
    # A run that was killed before its first step has shown nothing; one that ended without any
    # found a checkpoint of the last.
    return [not steps or steps[0] == found + 1] if found and (steps or ended) else []


def taken(root: Path) -> list[int]:
    """Return the steps that all runs of a training have taken, in order, counted from 1."""
    path = root / TAKEN
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def last_kept(root: Path) -> int:
    """Return the step of the newest checkpoint, 0 where there is none."""
    return max((int(path.name.split("-")[1]) for path in root.glob(CHECKPOINTS)), default=0)


def _main(stage: str, argv: Sequence[str], root: str, told_by: int | None) -> None:
    os.environ |= {"DVC_ROOT": root, "S2IGAN_TRACKING": "off", "S2IGAN_DEVICE": "cpu"}
    Path(root).mkdir(parents=True, exist_ok=True)
    with open(os.devnull, "w") as nowhere, open(Path(root) / TAKEN, "a") as steps:
        sys.stderr = nowhere
        _note(steps, told_by)
        code = importlib.import_module(f"stages.{stage}").STAGE.main(argv)
    sys.exit(code)


def _note(steps: TextIO, told_by: int | None) -> None:
    after = Keeper.after

    def noted(keeper: Keeper, step: int) -> None:
        steps.write(f"{step}\n")
        steps.flush()
        while step == told_by and not keeper._session.interrupts.stop_requested():
            time.sleep(0.001)
        after(keeper, step)

    setattr(Keeper, "after", noted)  # noqa: B010 - a method cannot be assigned to, says mypy


def _writes(root: Path, since: int) -> bool:
    """Tell whether a checkpoint is half written, by a process that began at ``since``."""
    try:
        return any(path.stat().st_mtime_ns >= since for path in root.glob(PARTIAL))
    except FileNotFoundError:  # it was renamed in between
        return False


def _newest(root: Path) -> int:
    try:
        return max((path.stat().st_mtime_ns for path in root.glob(CHECKPOINTS)), default=0)
    except FileNotFoundError:  # the oldest was deleted in between
        return _newest(root)


def _await_write(process: ForkServerProcess, root: Path, before: int) -> None:
    """Return while a checkpoint is being written, or just was, after ``before`` others."""
    since = time.time_ns()
    for last in (*[False] * before, True):
        known = _newest(root)
        while process.is_alive() and _newest(root) == known and not (last and _writes(root, since)):
            pass  # a write takes milliseconds


def prepared(values: dict[str, Any], folder: Path) -> dict[str, Run]:
    """Return how the trainings start, once ``folder`` has what the stages before them make."""
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(values), encoding="utf-8")
    known = {name: folder / name for name in FOLDERS} | {"manifests": ROOT / "data"}
    runs: dict[str, Run] = {}
    for stage in (*BEFORE, "train_rdg"):
        described = importlib.import_module(f"stages.{stage}").STAGE
        own = {"rdg": folder / "rdg", "metrics": folder / "retrieval.json"}
        own |= {"curves": folder / f"{stage}.tsv", "grid": folder / "grid.png"}
        names = [*described.inputs, *described.outputs]
        paths = {name: (known | own)[name] for name in names}
        runs[stage] = Run(stage, params, paths, described.outputs)
        if stage in BEFORE and not all(paths[name].exists() for name in described.outputs):
            print(f"{stage} …", flush=True)
            runs[stage].finish(folder / "state")
    return {stage: runs[stage] for stage in TRAININGS}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--params", type=Path, default=ROOT / "presets" / "smoke.yaml")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--every", type=int, default=3, help="steps between two checkpoints")
    parser.add_argument("--work", type=Path, help="a folder to make the inputs in and keep them")
    parser.add_argument("--json", type=Path, help="where to write the figures, too")
    return parser


def main() -> None:
    """Run the measurement and print a line for each training."""
    args = build_parser().parse_args()
    read = read_yaml(args.params)
    assert isinstance(read, dict)
    values: dict[str, Any] = read
    for section, every in TRAININGS.values():
        values[section] |= {"steps": args.steps, every: args.every}
    rng, results = np.random.default_rng(args.seed), []
    with ExitStack() as stack:
        folder = args.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for stage, run in prepared(values, folder).items():
            root = folder / stage
            result = survive(run, root, args.kills, rng, undisturbed(run, root))
            results.append(result)
            print(
                f"{stage}: {result.kills} kills, {result.in_writes} of them in a write, "
                f"{result.starts} starts from a checkpoint, {result.anew} anew in spite of one, "
                f"{result.seconds:.0f} s instead of "
                f"{result.undisturbed_seconds:.0f}; the outputs are "
                f"{'the same bytes' if result.same else 'NOT THE SAME'}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps([asdict(each) for each in results], indent=2) + "\n")
    if not all(result.same for result in results):
        raise SystemExit("a killed training ended with other bytes")
    if any(result.anew for result in results):
        raise SystemExit("a killed training did not go on from its checkpoint")


if __name__ == "__main__":
    run(main)
