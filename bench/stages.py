"""Speed and memory of the stages that read a whole corpus, on MiniBirds of growing size.

    python -m bench.stages [--scales 1 4 16] [--params params.yaml] [--workers 1]

Every stage runs as `dvc repro` runs it, `python -m stages.<name>`, in a temporary folder, with the
parameters of a file but for the corpus. Scale 1 is two drawings of each of 50 species, ten captions
each. Seconds are wall time with Python's start and imports, which weigh at scale 1; "per second"
leaves them out: what the largest scale has more than the smallest, by the seconds it takes longer.

Memory is the largest resident set of any one process of the stage, with the pages of memory-mapped
files that it touched. With one worker nearly all work is in one process; those of further workers
are not seen. Trainings have a speed per step that no corpus changes: `python -m bench.train`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow.parquet as pq
import yaml

from bench.command import run
from s2igan.engine.strict_yaml import read_yaml

ROOT = Path(__file__).parents[1]
ARGUMENTS = {
    "download": ("manifests", "corpus", "weights"),
    "tts": ("corpus", "weights", "speech"),
    "features": ("corpus", "speech", "weights", "features"),
}
SPECIES, VAL_SPECIES = 50, 5
BASE = {
    "drawings_per_train_species": 2,
    "drawings_per_val_species": 2,
    "drawings_per_test_species": 2,
    "reference_drawings": 40,
    "swap_descriptions": 20,
}


class Measured(NamedTuple):
    """One stage at one scale."""

    stage: str
    scale: int
    pictures: int
    utterances: int
    seconds: float
    peak_mb: float


def scaled_params(values: dict[str, Any], scale: int) -> dict[str, Any]:
    """Return ``values`` with MiniBirds ``scale`` times its smallest size as corpus."""
    corpus = {**values["corpus"], "kind": "minibirds", "edition": "drawn"}
    sizes = {"species": SPECIES, **{name: count * scale for name, count in BASE.items()}}
    corpus |= {"val_classes": VAL_SPECIES, "minibirds": {**corpus["minibirds"], **sizes}}
    return {**values, "corpus": corpus}


def run_stage(stage: str, params: Path, folder: Path, workers: int) -> tuple[float, float]:
    """Run one stage on the artifacts in ``folder``; return its seconds and its peak, MB.

    Raises:
        SystemExit: if the stage fails.
    """
    command = [sys.executable, "-m", f"stages.{stage}", "--params", str(params)]
    for name in ARGUMENTS[stage]:
        command += [f"--{name}", str(ROOT / "data" if name == "manifests" else folder / name)]
    own = {"DVC_ROOT": str(folder), "S2IGAN_TRACKING": "off", "S2IGAN_WORKERS": str(workers)}
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{stage} failed with code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def measure(values: dict[str, Any], scale: int, workers: int) -> list[Measured]:
    """Run every stage at one scale in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        params = folder / "params.yaml"
        params.write_text(yaml.safe_dump(scaled_params(values, scale)), encoding="utf-8")
        taken = [(stage, *run_stage(stage, params, folder, workers)) for stage in ARGUMENTS]
        pictures, utterances = (
            pq.read_metadata(folder / "corpus" / f"{table}.parquet").num_rows
            for table in ("index", "descriptions")
        )
    return [
        Measured(stage, scale, pictures, utterances, seconds, peak)
        for stage, seconds, peak in taken
    ]


def table(rows: Sequence[Measured]) -> str:
    """Return a line per measurement, stage by stage, in Markdown."""
    lines = [
        "| stage | scale | pictures | utterances | seconds | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.stage} | {row.scale}× | {row.pictures:,} | {row.utterances:,} "
        f"| {row.seconds:.1f} | {row.peak_mb:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def growth(small: Measured, large: Measured) -> str:
    """Say how memory and time grew from one scale to another, and the speed beyond the start."""
    items = large.utterances / small.utterances
    longer = large.seconds - small.seconds
    grown = (
        f"{small.stage}: {items:.1f}× the utterances take {large.seconds / small.seconds:.1f}× the "
        f"seconds and {large.peak_mb / small.peak_mb:.2f}× the memory"
    )
    if longer <= 0:
        return f"{grown}; too quick to tell a speed"
    return (
        f"{grown}; per second {(large.utterances - small.utterances) / longer:.0f} utterances, "
        f"{(large.pictures - small.pictures) / longer:.1f} pictures"
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--workers", type=int, default=1)
    return parser


def main() -> None:
    """Run the measurements and print a table and the growth."""
    args = build_parser().parse_args()
    # The stages read what is written of it, and tell what is wrong with it.
    values = cast("dict[str, Any]", read_yaml(args.params))
    measured = [measure(values, scale, args.workers) for scale in sorted(args.scales)]
    print(table([row for of_stage in zip(*measured, strict=True) for row in of_stage]))
    if len(measured) > 1:
        print()
        print("\n".join(map(growth, measured[0], measured[-1])))


if __name__ == "__main__":
    run(main)
