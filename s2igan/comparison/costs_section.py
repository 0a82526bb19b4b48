"""What the experiments of a table cost, shared stages named once."""

from collections.abc import Mapping, Sequence

from s2igan.comparison.figures import Entry
from s2igan.comparison.markdown import MISSING, duration, table
from s2igan.comparison.spending import Ledger
from s2igan.engine.costs import Cost

_READING = (
    "Wall time holds every part of a stage that was stopped and went on, without the start of "
    "Python; memory is that of the stage's own process."
)

Spendings = Mapping[str, list[dict[str, Cost]]]
"""By row, one per seed: cost by stage."""


def spendings(entries: Sequence[Entry], ledger: Ledger) -> Spendings:
    """Find the costs of every outcome."""
    return {
        entry.name: [ledger.spent(outcome.variant) for outcome in entry.outcomes.values()]
        for entry in entries
    }


def machines(found: Spendings) -> list[str]:
    """Return every machine and device that took part, with the first and last day of its work."""
    days: dict[str, set[str]] = {}
    for spent in (cost for runs in found.values() for run in runs for cost in run.values()):
        device = "" if spent.device == "cpu" else f", {spent.device}"
        days.setdefault(f"{spent.machine}{device}", set()).add(spent.date)
    return [
        f"{name}, {min(dates)}" + (f" to {max(dates)}" if len(dates) > 1 else "")
        for name, dates in days.items()
    ]


def costs_section(entries: Sequence[Entry], stages: Sequence[str], found: Spendings) -> list[str]:
    """Lay the costs out: what all rows share first, then each row's own stages.

    Args:
        entries: the rows.
        stages: names of all stages, in their order.
        found: of :func:`spendings`.
    """
    experiments = [run for runs in found.values() for run in runs]
    if not any(experiments):
        return ["The ledger of this repository knows none of these executions."]
    keys = {stage: [run[stage].key for run in experiments if stage in run] for stage in stages}
    # A stage that the ledger lacks of one experiment may have been another execution there.
    shared = [
        stage
        for stage in stages
        if len(keys[stage]) == len(experiments) > 1 and len(set(keys[stage])) == 1
    ]
    own = [stage for stage in stages if keys[stage] and stage not in shared]
    lines = []
    if shared:
        told = "; ".join(f"{stage} {_told(experiments[0][stage])}" for stage in shared)
        lines += [f"Shared by all rows, run once: {told}.", ""]
    if own:
        rows = [
            [
                entry.title,
                *(_cell(found[entry.name], stage) for stage in own),
                _memory(found[entry.name], own),
            ]
            for entry in entries
        ]
        lines += table(["wall time per seed", *own, "peak memory"], rows)
    return [*lines, "", _READING]


def _told(spent: Cost) -> str:
    return f"{duration(spent.seconds)}, {_gib(spent.memory_mib)}"


def _cell(runs: list[dict[str, Cost]], stage: str) -> str:
    seconds = [run[stage].seconds for run in runs if stage in run]
    return duration(sum(seconds) / len(seconds)) if seconds else MISSING


def _memory(runs: list[dict[str, Cost]], stages: Sequence[str]) -> str:
    spent = [run[stage] for run in runs for stage in stages if stage in run]
    if not spent:
        return MISSING
    text = _gib(max(item.memory_mib for item in spent))
    gpu = [item.gpu_memory_mib for item in spent if item.gpu_memory_mib is not None]
    return f"{text}, GPU {_gib(max(gpu))}" if gpu else text


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f} GiB"
