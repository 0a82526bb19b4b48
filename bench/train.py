"""Speed of trainings and of the networks of the other stages, in pairs: ours and plain float32.

    python -m bench.train [--work rdg sen ...] [--artifacts artifacts] [--out bench.json]

Without `--artifacts` the data are noise of the right shapes. Every variant runs in a process of its
own; they take turns, so that a shared machine's moods meet all of them. `--paper` adds the sizes
and terms of presets/cub.yaml; on a GPU the best batch is found by doubling. `--reference DIR` adds
the authors' public trainer from a folder. bench/README.md says what each number means.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from bench.matmul import matmul_rates
from bench.pairs import Variant, take_turns
from bench.subjects import Kind, Setting
from bench.synthetic import write_artifacts
from s2igan.config import read_params

PAPER = "presets/cub.yaml"
LARGEST_BATCH = 1024


def variants_of(base: Setting, reference: str | None, accelerations: list[str]) -> list[Variant]:
    """Return ours, plain, and what else is to take turns with them."""
    ours = [
        Variant(f"ours, {name}" if len(accelerations) > 1 else "ours", _accelerated(base, name))
        for name in accelerations
    ]
    found = [*ours, Variant("plain", replace(base, plain=True))]
    if base.params == PAPER and base.kind == "rdg":
        found.insert(len(ours), Variant("ours in bfloat16", replace(base, precision="bfloat16")))
    if reference and base.kind == "rdg":
        found.append(Variant("reference", base, reference))
    return found


def _accelerated(base: Setting, name: str) -> Setting:
    return Setting(**{**vars(base), "acceleration": name})


def best_batch(base: Setting, *, rounds: int, steps: int) -> list[Variant]:
    """Double the batch until memory ends; return every size that was tried."""
    tried: list[Variant] = []
    batch = base.batch or 24
    while batch < LARGEST_BATCH:
        batch *= 2
        variant = Variant(f"ours, batch {batch}", replace(base, batch=batch, precision="bfloat16"))
        take_turns([variant], rounds=rounds, steps=steps)
        tried.append(variant)
        if variant.problem:
            break
    return tried


def measure(
    args: argparse.Namespace, base: Setting, work: str, rates: dict[str, float]
) -> list[dict[str, Any]]:
    """Measure one kind of work and print its lines."""
    on_gpu = base.device != "cpu"
    paper = base.params == PAPER
    steps = args.paper_steps if paper and not on_gpu else args.steps
    rounds = 1 if paper and not on_gpu else args.rounds
    accelerations = args.accelerations if on_gpu else ["auto"]
    found = variants_of(base, args.reference, accelerations)
    take_turns(found, rounds=rounds, steps=steps)
    if on_gpu and paper and base.kind == "rdg":
        found += best_batch(base, rounds=rounds, steps=steps)
    rows = [variant.row(work, rates) for variant in found]
    plain = next((r for r in rows if r["variant"] == "plain" and "rounds" in r), None)
    for row in rows:
        if plain and "rounds" in row:
            medians = (r["images_per_second"]["median"] for r in (row, plain))
            row["times_plain"] = next(medians) / next(medians)
            row["times_plain_cpu"] = plain["cpu_ms_per_image"] / row["cpu_ms_per_image"]
        print(line(row), flush=True)
    return rows


HEADER = (
    "| work | variant | precision | batch | images/s min / median / max "
    "| × plain | × plain in CPU time | CPU ms/image | peak MB | GFLOP/image | of matmul rate |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def line(row: dict[str, Any]) -> str:
    """Return one row of the table in Markdown."""
    if "problem" in row:
        return f"| {row['work']} | {row['variant']} | {row['problem']} | | | | | | | | |"
    speed = row["images_per_second"]
    share = row["share_of_matmul"]
    times, of_cpu = (row.get(name) for name in ("times_plain", "times_plain_cpu"))
    return (
        f"| {row['work']} | {row['variant']} | {row['precision']} | {row['batch']} "
        f"| {speed['min']:.4g} / {speed['median']:.4g} / {speed['max']:.4g} "
        f"| {'' if times is None else f'{times:.2f}'} "
        f"| {'' if of_cpu is None else f'{of_cpu:.2f}'} | {row['cpu_ms_per_image']:.3g} "
        f"| {row['peak_mb']:.0f} | {row['gflop_per_image']:.3g} "
        f"| {'' if not share else f'{100 * share:.0f} %'} |"
    )


def machine(device: torch.device) -> dict[str, Any]:
    """Describe where the figures come from."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        named = [row.partition(":")[2].strip() for row in text.splitlines() if "model name" in row]
        cpu = named[0] if named else cpu
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "load_average": os.getloadavg()[0],
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "command": "python -m bench.train " + " ".join(sys.argv[1:]),
    }


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--artifacts", type=Path, help="what the pipeline made; default synthetic")
    parser.add_argument("--synthetic", action="store_true", help="synthetic data in any case")
    parser.add_argument("--work", nargs="+", choices=get_args(Kind), default=list(get_args(Kind)))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each variant")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument("--paper", action="store_true", help=f"measure {PAPER} too")
    parser.add_argument("--paper-steps", type=int, default=1, help="its steps on a CPU")
    parser.add_argument("--paper-batch", type=int, help="its batch; default the preset's")
    parser.add_argument("--accelerations", nargs="+", default=["off", "graphs", "compile"])
    parser.add_argument("--reference", help="folder of the authors' public code")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the measurements, print the table and write the JSON."""
    args = parse(argv)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rates = matmul_rates(device)
    report: dict[str, Any] = {"machine": machine(device), "matmul_flops": rates, "rows": []}
    print(
        f"{report['machine']}\nmatmul GFLOP/s: { ({k: round(v / 1e9) for k, v in rates.items()}) }"
    )
    print(f"\n{HEADER}", flush=True)
    scales = [(args.params, "default", None)]
    scales += [(PAPER, "paper", args.paper_batch)] if args.paper else []
    for params, scale, batch in scales:
        with tempfile.TemporaryDirectory() as temporary:
            folder = args.artifacts
            if folder is None or args.synthetic or scale == "paper":
                folder = Path(temporary)
                write_artifacts(folder, read_params(Path(params)))
            for kind in args.work:
                base = Setting(params, str(folder), kind, batch=batch, device=str(device))
                report["rows"] += measure(args, base, f"{kind}, {scale}", rates)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
