"""The ledger of what stages cost, kept beside the outputs because no output may hold a time.

One line of JSON per execution of a stage in ``.s2igan/costs.jsonl`` of the repository that the
user stands in, also when DVC runs the stage in a temporary copy of it.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2igan.engine.runtime import state_folder, usable_cores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Cost:
    """One execution of a stage, or the part of it until it was stopped.

    Attributes:
        stage: name of the stage.
        key: hash of its parameters, inputs and sources, as its checkpoints are named.
        sources: hash of its source files.
        params: all parameters, by which a reader finds the execution of an experiment.
        finished: whether it wrote its outputs; parts of a stopped one have the same key.
        seconds: wall time, without the start of Python.
        memory_mib: largest resident set of the process itself, MiB.
        gpu_memory_mib: most memory allocated on the GPU, MiB; None on a CPU.
        device: name of the GPU, or ``cpu``.
        machine: processor and number of cores in use.
        date: day of its end, UTC, as YYYY-MM-DD.
    """

    stage: str
    key: str
    sources: str
    params: Mapping[str, Any]
    finished: bool
    seconds: float
    memory_mib: int
    gpu_memory_mib: int | None
    device: str
    machine: str
    date: str


def ledger_path() -> Path:
    """Return where the ledger lies; it need not exist."""
    return state_folder() / "costs.jsonl"


def hash_sources(files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits of the names and bytes of source files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def metered(
    stage: str, key: str, sources: str, params: Mapping[str, Any], device: "torch.device | None"
) -> Iterator[None]:
    """Add a line to the ledger when the block ends, whether it succeeds or not."""
    start, finished = time.monotonic(), False
    try:
        yield
        finished = True
    finally:
        cost = Cost(
            stage,
            key,
            sources,
            params,
            finished,
            round(time.monotonic() - start, 1),
            resident_mib(),
            _gpu_mib(device) if device and device.type == "cuda" else None,
            device_name(device),
            machine(),
            datetime.now(UTC).date().isoformat(),
        )
        _append(ledger_path(), cost)


def read_costs(path: Path) -> list[Cost]:
    """Return the lines of a ledger in their order, passing over torn and foreign ones."""
    if not path.is_file():
        return []
    names, costs = {field.name for field in fields(Cost)}, []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and set(values) == names:
            costs.append(Cost(**values))
    return costs


@cache
def machine() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    cores = usable_cores()
    name = _processor() or "unnamed processor"  # not every system tells
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def _processor() -> str:
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:  # sysctl is in /usr/sbin, which need not be on the PATH
            return ""
    return " ".join(_line_of("/proc/cpuinfo", "model name").partition(":")[2].split())


def device_name(device: "torch.device | None") -> str:
    """Return the name of the GPU, or ``cpu``."""
    if device is None or device.type != "cuda":
        return "cpu"
    import torch

    return str(torch.cuda.get_device_name(device))


def resident_mib() -> int:
    """Return the largest resident set that this process has had, MiB."""
    # The kernel's own peak of this program; getrusage would count the parent's from before exec.
    if peak_kib := _line_of("/proc/self/status", "VmHWM:"):
        return round(int(peak_kib.split()[1]) / 1024)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def _line_of(path: str, start: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""  # Not every system tells.
    return next((line for line in lines if line.startswith(start)), "")


def _append(path: Path, cost: Cost) -> None:
    # One write of one line, so that stages of several processes do not tear each other's.
    line = json.dumps(asdict(cost)) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:
            file.write(line.encode())
    except OSError as error:
        sys.stderr.write(f"costs: not recorded in {str(path)!r}: {error.strerror}\n")


def _gpu_mib(device: "torch.device") -> int:
    import torch

    return round(torch.cuda.max_memory_allocated(device) / 2**20)
