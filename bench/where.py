"""Where the time of a step goes: kernels on a GPU, operations on a CPU.

    python -m bench.where [--work rdg] [--params presets/cub.yaml] [--batch 128] [--out where.tsv]

Of the shipped step, on synthetic data unless `--artifacts` names a folder; on a GPU after the step
has become a graph. What :mod:`bench.train` gives as one number, in parts.
"""

import argparse
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, get_args

import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from bench.command import run
from bench.subjects import Kind, Setting, Subject, open_subject
from bench.synthetic import write_artifacts
from bench.worker import warm_up
from s2igan.config import read_params
from s2igan.engine.allocator import keep_freed_memory

SHOWN = 30
NAME = 72  # characters of a kernel's name that are shown


class Part(NamedTuple):
    """A kernel or an operation: how often a step runs it, and how long all of these take."""

    name: str
    calls: float
    ms: float


def parts_of(subject: Subject, steps: int, device: torch.device) -> list[Part]:
    """Profile ``steps`` steps; return their parts per step, the longest first."""
    on_gpu = device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity], acc_events=True) as profiled:
        for _ in range(steps):
            subject.step()
        if on_gpu:
            torch.cuda.synchronize(device)
    calls: dict[str, int] = defaultdict(int)
    spent: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        if event.device_type.name == activity.name:
            name = short(event.key)
            calls[name] += event.count
            spent[name] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
    found = [Part(name, calls[name] / steps, spent[name] / steps / 1e3) for name in spent]
    return sorted((part for part in found if part.ms), key=lambda part: -part.ms)


def short(name: str) -> str:
    """Return a kernel's name without its types; of PyTorch's, all functions that it is made of."""
    plain = name.replace("(anonymous namespace)::", "").removeprefix("void ")
    if made_of := re.findall(r"at::native::(\w+)", plain):
        return " ".join(dict.fromkeys(made_of))
    while (fewer := re.sub(r"<[^<>]*>|\([^()]*\)", "", plain)) != plain:
        plain = fewer
    return plain.strip()


def table_of(parts: list[Part]) -> str:
    """Return the longest parts, and the rest as one, as Markdown."""
    whole = sum(part.ms for part in parts)
    rest = parts[SHOWN:]
    shown = parts[:SHOWN]
    if rest:
        shown = [
            *shown,
            Part(f"{len(rest)} others", sum(p.calls for p in rest), sum(p.ms for p in rest)),
        ]
    lines = []
    for name, calls, ms in shown:
        lines.append(f"| `{name[:NAME]}` | {calls:.4g} | {ms:.2f} | {100 * ms / whole:.1f} % |")
    header = "| what | calls per step | ms per step | share |\n|---|---:|---:|---:|"
    return "\n".join([header, *lines, f"| all | | {whole:.1f} | |"])


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--work", choices=get_args(Kind), default="rdg")
    parser.add_argument("--batch", type=int, help="instead of the parameters' own")
    parser.add_argument("--precision", choices=["float32", "bfloat16"])
    parser.add_argument("--artifacts", type=Path, help="what the pipeline made; default synthetic")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--out", type=Path, help="table of all parts to write, .tsv")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Profile a step and print its parts."""
    args = build_parser().parse_args(argv)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.artifacts or Path(temporary)
        if args.artifacts is None:
            write_artifacts(folder, read_params(Path(args.params)))
        setting = Setting(
            args.params,
            str(folder),
            args.work,
            batch=args.batch,
            precision=args.precision,
            device=str(device),
        )
        subject = open_subject(setting)
        for _ in range(warm_up(setting)):
            subject.step()
        parts = parts_of(subject, args.steps, device)
    print(table_of(parts))
    if args.out:
        pd.DataFrame(parts).to_csv(args.out, sep="\t", index=False)
    return 0


if __name__ == "__main__":
    run(main)
