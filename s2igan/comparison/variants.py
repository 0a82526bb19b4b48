"""The list of variants that one table compares, and the experiments that it stands for."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from s2igan.config import Params, combination_problems
from s2igan.engine.section import Section, field_problems, matching, shown
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError

SEED = "rdg.seed"
"""What a row's seeds set. Every seed of a row shares one SEN, so that rows differ in the GAN alone
and a table of many seeds trains few encoders.
"""

Name = Annotated[
    str,
    matching(r"[a-z0-9]+(-[a-z0-9]+)*", "a name of small letters, digits and - between them"),
    Field(max_length=60),
]
Seed = Annotated[int, Field(ge=0)]
Values = dict[str, Any]


class Row(Section):
    """One system or component setting."""

    name: Name = Field(description="names its experiments, with -s<seed>")
    title: str = Field(min_length=1, description="how the tables call it")
    set: Values = Field(default_factory=dict, description="dotted parameters and their values")
    seeds: list[Seed] | None = Field(None, min_length=1, description="null = those of the list")
    note: str | None = Field(None, description="a sentence that stands under the tables")


class TableList(Section):
    """What ``presets/tables/<name>.yaml`` holds."""

    title: str = Field(min_length=1, description="heading of the page")
    caption: str = Field(min_length=1, description="what is reduced against the paper, and why")
    params: str = Field(description="the complete file of parameters that every row starts from")
    common: Values = Field(default_factory=dict, description="dotted parameters of all rows")
    reference: Name = Field(description="the row that all others are compared with")
    seeds: list[Seed] = Field(min_length=1, description="values of rdg.seed")
    rows: list[Row] = Field(min_length=1)


@dataclass(frozen=True)
class Variant:
    """One experiment: a row with one seed.

    Attributes:
        name: unique within the list, a valid name of an experiment.
        row: name of its row.
        seed: value of ``rdg.seed``.
        params: all parameters, checked.
        given: the same as their file has them, before names of networks were written out.
    """

    name: str
    row: str
    seed: int
    params: Params
    given: Values

    @property
    def values(self) -> Values:
        """All parameters as plain values."""
        return self.params.model_dump(mode="json")


def read_list(path: Path) -> TableList:
    """Read and check a list, without its parameters.

    Raises:
        UserError: naming everything that is wrong with the file.
    """
    try:
        listed = TableList.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UserError(f"{str(path)!r}: {' | '.join(field_problems(error))}") from error
    if problems := _list_problems(listed):
        raise UserError(f"{str(path)!r}: {' | '.join(problems)}")
    return listed


def _list_problems(listed: TableList) -> list[str]:
    names = [row.name for row in listed.rows]
    problems = [f"rows: {name!r} twice" for name in sorted(set(names)) if names.count(name) > 1]
    if listed.reference not in names:
        problems.append(f"reference: got {listed.reference!r}; expected the name of a row")
    lists = [listed.seeds, *(row.seeds or [] for row in listed.rows)]
    if any(len(set(seeds)) < len(seeds) for seeds in lists):
        problems.append("seeds: the same seed twice")
    sets = {"common": listed.common, **{f"{row.name}.set": row.set for row in listed.rows}}
    problems += [f"{key}: {SEED} stands among the seeds" for key in sets if SEED in sets[key]]
    return problems


def expand(listed: TableList, root: Path, only: Iterable[str] | None = None) -> list[Variant]:
    """Return the experiments of a list, in its order, each with all its parameters.

    Args:
        listed: the list.
        root: the folder that ``params`` is relative to.
        only: names of rows; None takes all of them.

    Raises:
        UserError: naming everything that is wrong with any row, before anything runs.
    """
    wanted = _wanted(listed, only)
    path = root / listed.params
    base = read_yaml(path)
    if not isinstance(base, dict):
        raise UserError(f"{str(path)!r}", got=shown(base), expected="sections of parameters")
    try:
        Params.model_validate(base)  # once, or every row would tell what an older file lacks
    except ValidationError as error:
        raise UserError(f"{str(path)!r}: {' | '.join(field_problems(error))}") from error
    problems: list[str] = []
    variants: list[Variant] = []
    for row in listed.rows:
        changed, unknown = overridden(base, {**listed.common, **row.set})
        found = [f"{key}: no such key in {listed.params}" for key in unknown]
        for seed in row.seeds or listed.seeds:
            values, _ = overridden(changed, {SEED: seed})
            checked = found or _checked(values)
            if isinstance(checked, Params):
                variants.append(Variant(f"{row.name}-s{seed}", row.name, seed, checked, values))
            else:
                problems += [f"row {row.name!r}: {problem}" for problem in checked]
                break
    if problems:
        raise UserError(" | ".join(problems))
    return [variant for variant in variants if variant.row in wanted]


def _wanted(listed: TableList, only: Iterable[str] | None) -> set[str]:
    names = [row.name for row in listed.rows]
    wanted = set(names if only is None else only)
    if unknown := sorted(wanted - set(names)):
        raise UserError(
            f"rows {', '.join(map(repr, unknown))}",
            got="no such row",
            expected=f"some of {', '.join(names)}",
        )
    return wanted


def _checked(values: Values) -> Params | list[str]:
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        return field_problems(error)
    return combination_problems(params) or params


def overridden(values: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[Values, list[str]]:
    """Return a copy of nested ``values`` with dotted keys replaced, and the keys it has not."""
    copied: Values = copy.deepcopy(dict(values))
    unknown = []
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        section: Any = copied
        for part in parents:
            section = section.get(part) if isinstance(section, dict) else None
        if isinstance(section, dict) and last in section:
            section[last] = value
        else:
            unknown.append(dotted)
    return copied, unknown
