"""The command ``s2igan``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from s2igan.errors import EXIT_USER_ERROR, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code; bad input is told in one line, with code 2."""
    parser = argparse.ArgumentParser(prog="s2igan", description="Speech in, pictures out.")
    commands = parser.add_subparsers(required=True, metavar="command")
    report = commands.add_parser("report", help="print the figures of a folder as a table")
    report.add_argument("metrics", type=Path, nargs="?", default=Path("metrics"))
    report.set_defaults(run=_report)
    arguments = parser.parse_args(argv)
    try:
        text: str = arguments.run(arguments)
    except UserError as error:
        sys.stderr.write(f"s2igan: {' '.join(str(error).split())}\n")
        return EXIT_USER_ERROR
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


def _report(arguments: argparse.Namespace) -> str:
    from s2igan.evaluation.report import format_report

    return format_report(arguments.metrics)


if __name__ == "__main__":
    raise SystemExit(main())
