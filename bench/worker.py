"""One variant in a process of its own, which takes steps when it is told to.

Started by :mod:`bench.train`: settings come as JSON in the first line of stdin, then one number of
steps per line; every answer is a line of JSON. Processes of their own keep what one variant sets
for a whole process, the C library's memory among it, out of the others.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

import torch

from bench.flops import products_of
from bench.matmul import wait
from bench.subjects import Setting, Subject, open_subject
from s2igan.engine.allocator import keep_freed_memory
from s2igan.engine.costs import resident_mib
from s2igan.sen.batches import POOL_BATCHES

WARM_UP = 2  # steps before the first that counts
# On a GPU a step becomes a graph after three of its form. RDG has one form, SEN one for every
# padded length, and four pools of batches hold them all but for rare ones.
_UNTIL_CAPTURED = {"sen": 4 * POOL_BATCHES, "sen_live": 4 * POOL_BATCHES}
_UNTIL_ONE_IS = 4


def main() -> None:
    """Serve one variant until stdin ends."""
    # Answers alone may stand on stdout, whatever a library prints.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        serve(sys.stdin, answers)
    except torch.cuda.OutOfMemoryError as error:
        _answer(answers, {"out_of_memory": str(error).splitlines()[0]})
    except Exception as error:
        _answer(
            answers, {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        )


def serve(orders: TextIO, answers: TextIO) -> None:
    """Set up, warm up, count the work of a step, then answer every order."""
    lines: Iterator[str] = iter(orders)
    asked = json.loads(next(lines))
    reference = asked.pop("reference", None)
    setting = Setting(**asked)
    # Trainings ask the machine's settings.
    os.environ["S2IGAN_ACCELERATION"] = "off" if setting.plain else "auto"
    device = torch.device(setting.device)
    subject = _open(setting, reference)
    count = 0 if reference else products_of(subject.step)
    for _ in range(warm_up(setting)):
        subject.step()
    _answer(answers, {"images": subject.images, "flops_per_image": count / subject.images})
    for line in lines:
        _answer(answers, _timed(subject, int(line), device))


def warm_up(setting: Setting) -> int:
    """Return how many steps to take before the first that counts."""
    if torch.device(setting.device).type != "cuda":
        return WARM_UP
    return WARM_UP + _UNTIL_CAPTURED.get(setting.kind, _UNTIL_ONE_IS)


def _open(setting: Setting, reference: str | None) -> Subject:
    if reference is not None:
        from bench.reference import open_reference

        return open_reference(reference, setting)
    if setting.plain:
        from bench.plain import make_plain

        make_plain()
    elif setting.device == "cpu":
        keep_freed_memory()
    return open_subject(setting)


def _timed(subject: Subject, steps: int, device: torch.device) -> dict[str, Any]:
    wait(device)
    wall, cpu = time.perf_counter(), _cpu_seconds()
    for _ in range(steps):
        subject.step()
    wait(device)
    seconds, spent = time.perf_counter() - wall, _cpu_seconds() - cpu
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated(device) if on_gpu else resident_mib() * 2**20
    return {"seconds": seconds / steps, "cpu_seconds": spent / steps, "peak_bytes": peak}


def _cpu_seconds() -> float:
    # Of this process and of those that it started and that have ended.
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _answer(answers: TextIO, values: dict[str, Any]) -> None:
    answers.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
