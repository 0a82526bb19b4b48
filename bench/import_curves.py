"""Curves and grid of a run on another machine, shown among the runs of MLflow.

    python -m bench.import_curves RESULTS [--params params.yaml]

`RESULTS` holds what `bench/gpu.sh` handed back. The same results imported twice are one run.
"""

import argparse
import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.command import run
from s2igan.config import read_params
from s2igan.engine.tracking import identify, open_tracker


def read_curves(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Read steps and the losses that each has, from tab-separated text."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        (
            int(float(row["step"])),
            {k: float(v) for k, v in row.items() if k != "step" and v},
        )
        for row in rows
    ]


def import_curves(results: Path, params: Path) -> int:
    """Log every row of ``curves.tsv``, and the grid; return how many rows there are."""
    curves = results / "curves.tsv"
    key = hashlib.sha256(curves.read_bytes()).hexdigest()[:32]
    rows = read_curves(curves)
    with open_tracker(identify("train_rdg", key)) as tracker:
        tracker.params({f"rdg.{k}": v for k, v in read_params(params).rdg.model_dump().items()})
        for step, values in rows:
            tracker.log(step, values)
        if (results / "grid.png").is_file():
            grid = np.asarray(Image.open(results / "grid.png").convert("RGB"))
            tracker.picture("training_grid", grid, rows[-1][0] if rows else 0)
    return len(rows)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Import and say how much."""
    args = build_parser().parse_args(argv)
    print(f"{import_curves(args.results, args.params)} rows imported")
    return 0


if __name__ == "__main__":
    run(main)
