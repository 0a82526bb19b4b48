"""The source files that each stage of ``dvc.yaml`` depends on; as a command, writes them there."""

import re
from pathlib import Path

from s2igan.engine.closure import import_closure

ROOT = Path(__file__).parents[2]

_STAGE = re.compile(r"^  (\w+):$")
_SOURCE = re.compile(r"^      - (?:s2igan|stages)/\S+\.py$")


def expected_sources(stage: str) -> list[str]:
    """Return the import closure of ``stages.<stage>``, sorted, as ``dvc.yaml`` names files."""
    return [path.as_posix() for path in import_closure(f"stages.{stage}", ROOT)]


def rewritten(pipeline: str) -> str:
    """Return the text of ``dvc.yaml`` with every stage's source files brought up to date."""
    lines: list[str] = []
    stage = ""
    written: set[str] = set()
    for line in pipeline.splitlines():
        if found := _STAGE.match(line):
            stage = found[1]
        if not _SOURCE.match(line):
            lines.append(line)
        elif stage not in written:
            written.add(stage)
            lines += [f"      - {path}" for path in expected_sources(stage)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = ROOT / "dvc.yaml"
    path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
