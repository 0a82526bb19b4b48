"""Variants that take turns, A B A B, so that a machine's moods meet all of them."""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.subjects import Setting
from s2igan.engine.device import usable_precision

ROOT = Path(__file__).parents[1]


class VariantError(Exception):
    """A variant could not run; the text says why in one line."""


@dataclass
class Variant:
    """One way of doing a piece of work, and what was measured of it."""

    name: str
    setting: Setting
    reference: str | None = None
    images: int = 0
    flops_per_image: float = 0.0
    rounds: list[dict[str, float]] = field(default_factory=list)
    problem: str | None = None

    def row(self, work: str, rates: dict[str, float]) -> dict[str, Any]:
        """Return what the table and the JSON say of it."""
        row: dict[str, Any] = {"work": work, "variant": self.name, "batch": self.images}
        if self.problem or not self.rounds:
            return {**row, "problem": self.problem or "not run"}
        speeds = sorted(self.images / r["seconds"] for r in self.rounds)
        middle = statistics.median(speeds)
        precision = self._precision()
        per_second = middle * self.flops_per_image
        return {
            **row,
            "precision": precision,
            "images_per_second": {"min": speeds[0], "median": middle, "max": speeds[-1]},
            "cpu_ms_per_image": 1e3
            * statistics.median(r["cpu_seconds"] / self.images for r in self.rounds),
            "peak_mb": max(r["peak_bytes"] for r in self.rounds) / 2**20,
            "gflop_per_image": self.flops_per_image / 1e9,
            "share_of_matmul": per_second / rates[precision] if per_second else None,
            "rounds": self.rounds,
        }

    def _precision(self) -> str:
        if self.reference:
            return "float32"
        params = self.setting.read()
        section = {"sen_live": "sen", "tts": "features"}.get(self.setting.kind, self.setting.kind)
        asked = getattr(params, section).precision
        return usable_precision(torch.device(self.setting.device), asked)


class _Worker:
    def __init__(self, variant: Variant) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.say(json.dumps({**asdict(variant.setting), "reference": variant.reference}))

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise VariantError("its process ended") from error

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise VariantError(f"its process ended with code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        for problem in ("failed", "out_of_memory"):
            if problem in answer:
                raise VariantError(answer[problem])
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def take_turns(variants: Sequence[Variant], *, rounds: int, steps: int) -> None:
    """Fill variants with what is measured in turns; what fails is their :attr:`Variant.problem`."""
    workers: list[tuple[Variant, _Worker]] = []
    for variant in variants:
        # One after the other: libraries try their algorithms out while a variant sets up.
        start, worker = time.perf_counter(), _Worker(variant)
        workers.append((variant, worker))
        try:
            ready = worker.hear()
        except VariantError as error:
            variant.problem = str(error)
            continue
        variant.images, variant.flops_per_image = ready["images"], ready["flops_per_image"]
        took = time.perf_counter() - start
        sys.stderr.write(f"{variant.setting.kind}, {variant.name}: ready after {took:.0f} s\n")
    for _ in range(rounds):
        for variant, worker in workers:
            if variant.problem:
                continue
            try:
                worker.say(str(steps))
                variant.rounds.append(worker.hear())
            except VariantError as error:
                variant.problem = str(error)
    for _, worker in workers:
        worker.close()
