"""Which source files a module runs: its import closure within this repository.

DVC's ``deps`` and the key of a checkpoint are made of it, so that a changed line reruns what it
can change and nothing else.
"""

import ast
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from s2igan.errors import UserError

EXEMPT = (
    "s2igan.config",
    "s2igan.corpora.fetching.fetch",
    "s2igan.corpora.fetching.outcomes",
    "s2igan.corpora.fetching.partial",
    "s2igan.corpora.fetching.space",
    "s2igan.engine.checkpoint",
    "s2igan.engine.closure",
    "s2igan.engine.divergence",
    "s2igan.engine.interrupts",
    "s2igan.engine.keeper",
    "s2igan.engine.launch",
    "s2igan.engine.progress",
    "s2igan.engine.runtime",
    "s2igan.engine.session",
    "s2igan.engine.shortage",
    "s2igan.engine.showcase",
    "s2igan.engine.stage",
    "s2igan.engine.tracking",
    "s2igan.errors",
    "stages",
)
"""Modules that cannot change a result; the closure neither holds them nor goes on through them."""

PACKAGES = ("s2igan", "stages")

_ROOT = Path(__file__).parents[2]


def import_closure(module: str, root: Path, *, exempt: Sequence[str] = EXEMPT) -> list[Path]:
    """Return the files that ``module`` runs, sorted, relative to ``root``.

    Imports inside functions count, those for type checkers do not; a package's ``__init__`` counts
    where it holds more than a docstring and constants.

    Args:
        module: dotted name, such as ``stages.tts``.
        root: the folder that holds the packages.
        exempt: modules to leave out, and not to go on through.
    """
    waiting, seen, files = [module], set(exempt), []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if (path := _source(name, root)) is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        initial = path.name == "__init__.py"
        if not initial or _does_something(tree):
            files.append(path.relative_to(root))
        waiting += imported_modules(tree, name if initial else name.rpartition(".")[0])
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return sorted(files)


def own_sources(module: str) -> list[Path]:
    """Return the files of this repository that ``module`` runs, such as ``stages.tts``."""
    return [_ROOT / path for path in import_closure(module, _ROOT)]


def check_deps(stage: str, sources: Sequence[Path]) -> None:
    """Refuse source files of a stage that DVC, where it runs the stage, would not see change.

    Args:
        stage: its name.
        sources: what :func:`own_sources` returns of it.

    Raises:
        UserError: if some are not among its deps in ``dvc.yaml``.
    """
    if "DVC_STAGE" not in os.environ:
        return
    text = (_ROOT / "dvc.yaml").read_text(encoding="utf-8")
    described = re.search(rf"^  {stage}:\n((?:    .*\n|\n)*)", text, re.MULTILINE)
    named = set(re.findall(r"^ +- (\S+\.py)$", described[1] if described else "", re.MULTILINE))
    if unnamed := {path.relative_to(_ROOT).as_posix() for path in sources} - named:
        raise UserError(
            f"deps of {stage} in 'dvc.yaml'",
            got=f"no {', '.join(sorted(unnamed))}",
            expected="all source files of the stage, or DVC would not see one change",
            fix="run `make deps`",
        )


def imported_modules(tree: ast.Module, package: str) -> list[str]:
    """Return the dotted names of this repository's modules that ``tree`` imports at run time.

    ``from package import name`` yields ``package`` and ``package.name``, which may be a module.

    Args:
        tree: of a module.
        package: that the module lies in, from which ``from .other import name`` counts.
    """
    names: list[str] = []
    for node in _run_time_nodes(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] in PACKAGES]


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _run_time_nodes(child)


def _source(name: str, root: Path) -> Path | None:
    base = root.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _does_something(tree: ast.Module) -> bool:
    return not all(isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) for node in tree.body)
