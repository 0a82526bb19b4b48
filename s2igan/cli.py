"""The command ``s2igan``."""

import argparse
import gc
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

from s2igan.engine.answer import answer
from s2igan.engine.runtime import repository_root
from s2igan.engine.shortage import DISK_FULL, disk_is_full
from s2igan.errors import UserError, leave, open_stderr, refused
from s2igan.serving.champion import METRIC
from s2igan.serving.commands import add_commands, path_given
from s2igan.serving.page_command import add_serve


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands; each sets ``run``, which returns what is to be said."""
    parser = argparse.ArgumentParser(prog="s2igan", description="Speech in, pictures out.")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_commands(commands.add_parser)
    add_serve(commands.add_parser)
    report = commands.add_parser("report", help="print the figures of a folder as a table")
    report.add_argument(
        "metrics",
        type=path_given,
        nargs="?",
        default=Path("metrics"),
        help="the folder; by default metrics",
    )
    report.set_defaults(run=_report)
    score = commands.add_parser("score", help="judge pictures that another model drew")
    score.add_argument(
        "samples", type=path_given, help="folder of images.npy, samples.parquet and samples.json"
    )
    score.add_argument("-o", "--out", type=path_given, required=True, help="folder to write")
    score.set_defaults(run=_score)
    _add_table(commands.add_parser("table", help="run every variant of a list and compare them"))
    _add_register(commands.add_parser("register", help="register a model with MLflow"))
    push = commands.add_parser("push", help="upload the outputs and the run cache to the remote")
    push.set_defaults(run=_push)
    pull = commands.add_parser("pull", help="download the run cache and the outputs of dvc.lock")
    pull.set_defaults(run=_pull)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code.

    Bad input, a missing package, and what the system refuses, is told in one line with code 2.

    Raises:
        SystemExit: after a command's help, a command line that cannot be parsed, or once the
            reader of an answer has gone.
    """
    open_stderr()
    # Where the terminal's encoding lacks a sign, the rest is still worth reading.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        arguments = build_parser().parse_args(argv)
        text: str = arguments.run(arguments)
        gc.freeze()  # leave without going through all that PyTorch has loaded once more
        answer(text)
    except UserError as error:
        return leave("s2igan", str(error))
    except KeyboardInterrupt:
        return leave(
            "s2igan", "interrupted; the same command goes on from here", 128 + signal.SIGINT
        )
    except Exception as error:
        if (told := _told(error)) is None:
            raise
        return leave("s2igan", told)
    return 0


def _told(error: Exception) -> str | None:
    """Return the line of what is not the program's own fault."""
    if disk_is_full(error):
        return DISK_FULL
    if isinstance(error, OSError):
        return refused(error)
    if isinstance(error, ModuleNotFoundError):
        package = str(error.name).partition(".")[0]
        if package != "s2igan":
            return f"package {package}; got none; `make env`, or install `s2igan[pipeline]`"
    return None


def _report(arguments: argparse.Namespace) -> str:
    from s2igan.evaluation.report import format_report, terminal_width

    return format_report(arguments.metrics, terminal_width())


def _score(arguments: argparse.Namespace) -> str:
    from s2igan.comparison.score import score
    from s2igan.evaluation.report import format_report, terminal_width

    score(arguments.samples, arguments.out)
    return format_report(arguments.out, terminal_width())


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "list", type=path_given, help="the list of rows, such as presets/tables/minibirds.yaml"
    )
    parser.add_argument(
        "--with",
        dest="runner",
        choices=("dvc", "plain"),
        help="what runs the experiments; by default DVC if it is there",
    )
    parser.add_argument(
        "--out",
        type=path_given,
        help="the page; by default docs/results/<name of the list>-table.md",
    )
    parser.add_argument(
        "--rows",
        type=_names,
        help="names of rows to take, separated by commas; with --out, since the default page is "
        "the whole list's",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        choices=range(1, 65),
        metavar="N",
        help="experiments at the same time, sharing the cores; on a CPU one per core is fastest",
    )
    parser.add_argument("--only-write", action="store_true", help="write the page, run nothing")
    parser.set_defaults(run=_table)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _table(arguments: argparse.Namespace) -> str:
    from s2igan.comparison.table import make_table

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # A stage that runs is told to end too, and keeps its checkpoint.
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        return make_table(
            arguments.list,
            runner=arguments.runner,
            out=arguments.out,
            rows=arguments.rows,
            only_write=arguments.only_write,
            jobs=arguments.jobs,
        )
    finally:
        signal.signal(signal.SIGTERM, before)


def _add_register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Log a model as an MLflow model, register it as s2igan, and give it the alias champion if "
        "its figure is better than the champion's on the same corpus, edition and protocol."
    )
    parser.add_argument(
        "--model", metavar="MODEL", help="as for `speak`; by default the pipeline's artifacts/rdg"
    )
    parser.add_argument(
        "--metric",
        metavar="METRIC",
        default=METRIC,
        help="the figure that decides, by its place in metrics/ or its name in MLflow; by default "
        f"{METRIC}",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="move the alias whatever the figures say"
    )
    parser.set_defaults(run=_register)


def _register(arguments: argparse.Namespace) -> str:
    from s2igan.serving.registry import register

    return register(arguments.model, metric=arguments.metric, anyway=arguments.anyway)


def _push(_arguments: argparse.Namespace) -> str:
    from s2igan.sharing.transfer import push

    return push(repository_root())


def _pull(_arguments: argparse.Namespace) -> str:
    from s2igan.sharing.transfer import pull

    return pull(repository_root())


if __name__ == "__main__":
    raise SystemExit(main())
