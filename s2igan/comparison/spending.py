"""What the stages of an experiment cost, found in the ledger by their parameters and sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2igan.comparison.pipeline import PipelineStage, with_ancestors
from s2igan.comparison.variants import Variant
from s2igan.engine.costs import Cost


@dataclass(frozen=True)
class Ledger:
    """The ledger beside the pipeline that its lines are of.

    Args:
        costs: its lines.
        stages: the pipeline.
        sources: hash of the sources of each stage, as they are now.
    """

    costs: Sequence[Cost]
    stages: list[PipelineStage]
    sources: Mapping[str, str]

    def spent(self, variant: Variant) -> dict[str, Cost]:
        """Return the costs of a variant by stage; a stage that the ledger does not know is absent.

        A line is the variant's when today's sources ran with its values of all parameters that the
        stage and those before it depend on.
        """
        found: dict[str, Cost] = {}
        for stage in self.stages:
            needed = [(s, s.depends_on(variant.values)) for s in with_ancestors(self.stages, stage)]
            lines = [
                cost
                for cost in self.costs
                if cost.stage == stage.name
                and cost.sources == self.sources[stage.name]
                and all(_has(s, cost) == values for s, values in needed)
            ]
            if (total := _total(lines)) is not None:
                found[stage.name] = total
        return found


def open_ledger(costs: Sequence[Cost], stages: list[PipelineStage], root: Path) -> Ledger:
    """Read the sources of all stages below ``root``."""
    return Ledger(costs, stages, {stage.name: stage.source_hash(root) for stage in stages})


def _has(stage: PipelineStage, cost: Cost) -> dict[str, object] | None:
    try:
        return stage.depends_on(cost.params)
    except (KeyError, TypeError):
        return None  # Written when the parameters had other keys.


def _total(lines: list[Cost]) -> Cost | None:
    """Add up the last finished execution and the stopped ones that led to it."""
    finished = [index for index, cost in enumerate(lines) if cost.finished]
    if not finished:
        return None
    last = lines[finished[-1]]
    parts = [cost for cost in lines[: finished[-1] + 1] if cost.key == last.key]
    earlier = [index for index, cost in enumerate(parts[:-1]) if cost.finished]
    parts = parts[earlier[-1] + 1 if earlier else 0 :]
    return replace(
        last,
        seconds=sum(cost.seconds for cost in parts),
        memory_mib=max(cost.memory_mib for cost in parts),
        gpu_memory_mib=max(
            (c.gpu_memory_mib for c in parts if c.gpu_memory_mib is not None), default=None
        ),
    )
