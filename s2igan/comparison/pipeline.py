"""The pipeline as ``dvc.yaml`` describes it, for whoever runs its stages without DVC."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path, PurePosixPath
from typing import Any

from s2igan.engine.closure import import_closure
from s2igan.engine.costs import hash_sources
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError


@dataclass(frozen=True)
class PipelineStage:
    """One stage.

    Attributes:
        name: also the name of its module in ``stages``.
        arguments: path by option of its command, such as ``--corpus: artifacts/corpus``.
        params: dotted keys, or whole sections, of the parameters it depends on.
        data: what it depends on beside its source files.
        outs: what it writes.
    """

    name: str
    arguments: Mapping[str, str]
    params: tuple[str, ...]
    data: tuple[str, ...]
    outs: tuple[str, ...]

    def writes(self, path: str) -> bool:
        """Tell whether ``path`` is an output, lies in one or holds one."""
        return any(_within(path, out) or _within(out, path) for out in self.outs)

    def source_hash(self, root: Path) -> str:
        """Hash the source files that it runs, of the repository in ``root``."""
        files = import_closure(f"stages.{self.name}", root)
        return hash_sources(root / path for path in files)

    def depends_on(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of :attr:`params` among nested ``values``."""
        return {key: reduce(getitem, key.split("."), values) for key in self.params}


def read_pipeline(path: Path) -> list[PipelineStage]:
    """Read ``dvc.yaml`` and return its stages in an order in which they can run.

    Raises:
        UserError: if a stage is not ``python -m stages.<name>`` with options and paths.
    """
    document = read_yaml(path)
    if not isinstance(document, dict) or not isinstance(document.get("stages"), dict):
        raise UserError(f"{str(path)!r}", got="no stages", expected="a pipeline of DVC")
    waiting = [_stage(path, name, entry) for name, entry in document["stages"].items()]
    ordered: list[PipelineStage] = []
    while waiting:
        ready = [s for s in waiting if not any(before(other, s) for other in waiting)]
        if not ready:
            names = ", ".join(stage.name for stage in waiting)
            raise UserError(f"{str(path)!r}", got=f"a circle of {names}", expected="an order")
        ordered += ready
        waiting = [stage for stage in waiting if stage not in ready]
    return ordered


def before(first: PipelineStage, second: PipelineStage) -> bool:
    """Tell whether ``second`` reads what ``first`` writes."""
    return first is not second and any(
        _within(path, out) for path in second.data for out in first.outs
    )


def with_ancestors(stages: list[PipelineStage], stage: PipelineStage) -> list[PipelineStage]:
    """Return ``stage`` and all that it stands on, in the order of ``stages``."""
    needed = {stage.name}
    for candidate in reversed(stages):
        if any(before(candidate, other) for other in stages if other.name in needed):
            needed.add(candidate.name)
    return [candidate for candidate in stages if candidate.name in needed]


def _stage(path: Path, name: str, entry: Mapping[str, Any]) -> PipelineStage:
    words = shlex.split(str(entry.get("cmd", "")))
    options, values = words[3::2], words[4::2]
    plain = all(option.startswith("--") for option in options) and len(options) == len(values)
    if words[:3] != ["python", "-m", f"stages.{name}"] or not plain:
        raise UserError(
            f"{str(path)!r}, stage {name}",
            got=f"cmd {' '.join(words)!r}",
            expected=f"python -m stages.{name} with options and paths",
        )
    outs = [out for kind in ("outs", "metrics", "plots") for out in _paths(entry.get(kind, []))]
    data = [dep for dep in _paths(entry.get("deps", [])) if not dep.endswith(".py")]
    arguments = dict(zip(options, values, strict=True))
    return PipelineStage(name, arguments, tuple(entry.get("params", [])), tuple(data), tuple(outs))


def _paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else str(next(iter(entry))) for entry in entries]


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
