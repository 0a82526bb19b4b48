"""The command that runs a list and writes its page."""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from s2igan.comparison.costs_section import spendings
from s2igan.comparison.experiments import ExperimentRunner
from s2igan.comparison.figures import Entry
from s2igan.comparison.outcome import Failure, Outcome
from s2igan.comparison.page import Page
from s2igan.comparison.pipeline import read_pipeline
from s2igan.comparison.plain import PlainRunner
from s2igan.comparison.spending import open_ledger
from s2igan.comparison.variants import TableList, expand, read_list
from s2igan.engine.costs import ledger_path, read_costs
from s2igan.engine.runtime import repository_root, state_folder
from s2igan.errors import UserError, check_system

RunnerName = Literal["dvc", "plain"]


def make_table(
    path: Path,
    *,
    runner: RunnerName | None = None,
    out: Path | None = None,
    rows: Sequence[str] | None = None,
    only_write: bool = False,
    jobs: int = 1,
) -> str:
    """Run every experiment of a list that has not run yet, and write the page.

    Args:
        path: the list.
        runner: what runs them; by default what :func:`default_runner` returns.
        out: the page; by default ``docs/results/<name of the list>-table.md``.
        rows: names of rows to take, on a page that ``out`` names; None takes all.
        only_write: run nothing, write what is there.
        jobs: experiments that run at the same time; they share the cores, or the GPU.

    Returns:
        What was written, one path per line.

    Raises:
        UserError: if the list is wrong, rows have no page of their own, the page is a folder, the
            system runs no pipeline, or no experiment came to its end; or, once the page is written,
            if some are missing.
    """
    check_system()
    root = repository_root()
    listed = read_list(path)
    variants = expand(listed, root, rows)
    page_path = _writable(out or _page_of_all(path, root, rows))
    chosen = _runner(runner or default_runner(root), root, jobs)
    results = chosen.find(variants) if only_write else chosen.run(variants)
    outcomes = [result for result in results if isinstance(result, Outcome)]
    failures = [result for result in results if isinstance(result, Failure)]
    if not outcomes:
        raise UserError(f"table {path.stem!r}: no experiment came to its end", got=_told(failures))
    entries = _entries(listed, outcomes)
    stages = read_pipeline(root / "dvc.yaml")
    ledger = open_ledger(read_costs(ledger_path()), stages, root)
    page = Page(
        listed, entries, failures, [stage.name for stage in stages], spendings(entries, ledger)
    )
    written = "\n".join(str(file) for file in page.write(page_path))
    if failures:
        raise UserError(f"table written to {str(page_path)!r} without {_told(failures)}")
    return written


def _page_of_all(path: Path, root: Path, rows: Sequence[str] | None) -> Path:
    page = root / "docs" / "results" / f"{path.stem}-table.md"
    if rows is not None:
        raise UserError(
            "--rows",
            got="no --out",
            expected="a page for these rows alone",
            fix=f"say --out PAGE.md; {str(page)!r} is the whole list's",
        )
    return page


def _writable(page: Path) -> Path:
    if page.is_dir():
        raise UserError("--out", got=f"a folder {str(page)!r}", expected="a file such as page.md")
    page.parent.mkdir(parents=True, exist_ok=True)  # refused now, not after all experiments
    return page


def default_runner(root: Path) -> RunnerName:
    """Return ``dvc`` where it is installed and can queue experiments of ``root``."""
    # DVC writes the path of its cache into each experiment's configuration, in ASCII.
    return "dvc" if str(root).isascii() and _is_of_dvc(root) and _has_history(root) else "plain"


def _is_of_dvc(root: Path) -> bool:
    return importlib.util.find_spec("dvc") is not None and (root / ".dvc").is_dir()


def _has_history(root: Path) -> bool:
    # DVC cannot bring an experiment back into a shallow clone, and says nothing of it.
    if shutil.which("git") is None:
        return False
    command = ["git", "rev-parse", "--is-shallow-repository"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return told.stdout.strip() == "false"


def _runner(name: RunnerName, root: Path, jobs: int) -> PlainRunner | ExperimentRunner:
    if name == "plain":
        return PlainRunner(root, state_folder() / "tables", jobs)
    if not _is_of_dvc(root):
        raise UserError(
            "--with dvc",
            got=f"no DVC, or no repository of DVC in {str(root)!r}",
            expected="both",
            fix="install the extra `pipeline`, or say --with plain",
        )
    if not _has_history(root):
        raise UserError(
            "--with dvc",
            got=f"a shallow clone, or no repository of Git, in {str(root)!r}",
            expected="a clone with its whole history, to which DVC adds the experiments",
            fix="run `git fetch --unshallow`, or say --with plain",
        )
    return ExperimentRunner(root, jobs)


def _entries(listed: TableList, outcomes: Sequence[Outcome]) -> list[Entry]:
    by_row: dict[str, dict[int, Outcome]] = {}
    for outcome in outcomes:
        by_row.setdefault(outcome.variant.row, {})[outcome.variant.seed] = outcome
    return [
        Entry(row.name, row.title, row.note, by_row[row.name])
        for row in listed.rows
        if row.name in by_row
    ]


def _told(failures: Sequence[Failure]) -> str:
    names: dict[str, list[str]] = {}
    for failed in failures:
        names.setdefault(failed.reason, []).append(failed.variant.name)
    return " | ".join(f"{', '.join(who)}: {reason}" for reason, who in names.items())
