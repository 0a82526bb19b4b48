"""Speed of trainings and of the work of the other stages, in pairs: ours and plain float32.

    python -m bench.train [--work rdg sen ...] [--artifacts artifacts] [--out bench.json]

Without `--artifacts` the data are noise of the right shapes. Every variant runs in a process of its
own; they take turns, so that a shared machine's moods meet all of them. `--scales paper` takes the
sizes and terms of presets/cub.yaml, on a GPU with larger batches too. `--reference DIR` adds the
authors' public trainers from a folder. bench/README.md says what each number means.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from bench.command import run
from bench.matmul import matmul_rates
from bench.pairs import Variant, take_turns
from bench.subjects import Kind, Setting
from bench.synthetic import write_artifacts
from s2igan.config import read_params
from s2igan.engine.costs import machine
from s2igan.engine.device import usable_precision

PAPER = "presets/cub.yaml"
TRAININGS = ("rdg", "sen", "sen_live")
# What fits into memory at once, at any scale.
TOGETHER: tuple[tuple[Kind, ...], ...] = (
    ("rdg",),
    ("sen", "sen_live"),
    ("tts", "features", "sample", "evaluate"),
)


def variants_of(base: Setting, reference: Variant | None, batches: list[int]) -> list[Variant]:
    """Return ours, plain, and what else is to take turns with them.

    Args:
        base: how the work is done.
        reference: the authors' trainer, for a training at the scale *paper*.
        batches: larger ones of RDG on a GPU.
    """
    found = [Variant("ours", base), Variant("plain", replace(base, plain=True))]
    if base.params != PAPER:
        return found
    if base.kind in TRAININGS:
        if usable_precision(torch.device(base.device), "bfloat16") == "bfloat16":
            found.insert(1, Variant("ours in bfloat16", replace(base, precision="bfloat16")))
        if reference:
            found.append(reference)
    if base.kind == "rdg" and base.device != "cpu":
        larger = [replace(base, batch=batch, precision="bfloat16") for batch in batches]
        found += [Variant("ours in bfloat16", setting) for setting in larger]
    return found


def measure(
    args: argparse.Namespace, works: dict[str, Setting], rates: dict[str, float]
) -> list[dict[str, Any]]:
    """Measure works whose variants take turns with each other, and print their lines."""
    first = next(iter(works.values()))
    slow = first.params == PAPER and first.device == "cpu"
    # Works that take turns share it: the authors' loop of SEN is the same for both of ours.
    reference = Variant("reference", first, args.reference) if args.reference else None
    found = {work: variants_of(base, reference, args.batches) for work, base in works.items()}
    every = {id(variant): variant for variants in found.values() for variant in variants}
    take_turns(
        list(every.values()),
        rounds=1 if slow else args.rounds,
        steps=args.paper_steps if slow else args.steps,
    )
    told: list[dict[str, Any]] = []
    for work, variants in found.items():
        rows = [variant.row(work, rates) for variant in variants]
        compare(rows)
        for row in rows:
            print(line(row), flush=True)
        told += rows
    return told


def compare(rows: list[dict[str, Any]]) -> None:
    """Add to each row how many times as fast it is as ``plain`` and as ``reference``."""
    measured = [row for row in rows if "rounds" in row]
    others = {row["variant"]: row for row in measured if row["variant"] in ("plain", "reference")}
    for row in measured:
        for name, other in others.items():
            medians = (r["images_per_second"]["median"] for r in (row, other))
            row[f"times_{name}"] = next(medians) / next(medians)
        if plain := others.get("plain"):
            row["times_plain_cpu"] = plain["cpu_ms_per_image"] / row["cpu_ms_per_image"]


HEADER = (
    "| work | variant | precision | batch | images/s min / median / max "
    "| × plain | × reference | × plain in CPU time | CPU ms/image | peak MB | GFLOP/image "
    "| of matmul rate |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def line(row: dict[str, Any]) -> str:
    """Return one row of the table in Markdown."""
    if "problem" in row:
        return f"| {row['work']} | {row['variant']} | {row['problem']} | | | | | | | | | |"
    speed = row["images_per_second"]
    share = row["share_of_matmul"]
    times = [row.get(f"times_{name}") for name in ("plain", "reference", "plain_cpu")]
    return (
        f"| {row['work']} | {row['variant']} | {row['precision']} | {row['batch']} "
        f"| {speed['min']:.4g} / {speed['median']:.4g} / {speed['max']:.4g} "
        f"| {' | '.join('' if value is None else f'{value:.2f}' for value in times)} "
        f"| {row['cpu_ms_per_image']:.3g} "
        f"| {row['peak_mb']:.0f} | {row['gflop_per_image']:.3g} "
        f"| {'' if not share else f'{100 * share:.0f} %'} |"
    )


def conditions(device: torch.device) -> dict[str, Any]:
    """Describe where the figures come from."""
    return {
        "cpu": machine(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "command": "python -m bench.train " + " ".join(sys.argv[1:]),
    }


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--artifacts", type=Path, help="what the pipeline made; default synthetic")
    parser.add_argument("--work", nargs="+", choices=get_args(Kind), default=list(get_args(Kind)))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each variant")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument(
        "--scales",
        nargs="+",
        choices=["default", "paper"],
        default=["default"],
        help=f"paper: the sizes and terms of {PAPER}",
    )
    parser.add_argument(
        "--paper-steps", type=int, default=1, help="steps of the scale paper on a CPU"
    )
    parser.add_argument("--paper-batch", type=int, help="batch of the scale paper")
    parser.add_argument(
        "--batches", type=int, nargs="*", default=[128, 256], help="larger ones of RDG on a GPU"
    )
    parser.add_argument("--reference", help="folder of the authors' public code")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the measurements, print the table and write the JSON; return 1 where a variant failed."""
    args = build_parser().parse_args(argv)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rates = matmul_rates(device)
    report: dict[str, Any] = {"machine": conditions(device), "matmul_flops": rates, "rows": []}
    print(
        f"{report['machine']}\nmatmul GFLOP/s: { ({k: round(v / 1e9) for k, v in rates.items()}) }"
    )
    print(f"\n{HEADER}", flush=True)
    of_scale = {"default": (args.params, None), "paper": (PAPER, args.paper_batch)}
    for scale in args.scales:
        params, batch = of_scale[scale]
        with tempfile.TemporaryDirectory() as temporary:
            folder = args.artifacts
            if folder is None or scale == "paper":
                folder = Path(temporary)
                write_artifacts(folder, read_params(Path(params)))
            for group in TOGETHER:
                works = {
                    f"{kind}, {scale}": Setting(
                        params, str(folder), kind, batch=batch, device=str(device)
                    )
                    for kind in group
                    if kind in args.work
                }
                if works:
                    report["rows"] += measure(args, works, rates)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(any("problem" in row for row in report["rows"]))


if __name__ == "__main__":
    run(main)
