"""A file in parts of limited size, and back again with its checksum verified.

    python -m bench.parts join FOLDER NAME OUT

Needs the standard library alone, since it runs before anything is installed.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.command import run

MIB = 2**20


def split(source: Path, folder: Path, name: str, limit: int) -> list[Path]:
    """Write ``NAME.json`` and the parts ``NAME.000``, ``NAME.001``, … and return the latter.

    A part has at most ``limit`` bytes.
    """
    parts: list[dict[str, Any]] = []
    with source.open("rb") as file:
        while block := file.read(limit):
            part = folder / f"{name}.{len(parts):03d}"
            part.write_bytes(block)
            parts.append({"name": part.name, "sha256": hashlib.sha256(block).hexdigest()})
    listed = {"sha256": _digest(source), "bytes": source.stat().st_size, "parts": parts}
    (folder / f"{name}.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return [folder / part["name"] for part in parts]


def missing(folder: Path, name: str) -> list[str]:
    """Return the names of parts that are absent or damaged, the list of parts among them."""
    listing = folder / f"{name}.json"
    if not listing.is_file():
        return [listing.name]
    return [
        part["name"]
        for part in json.loads(listing.read_text(encoding="utf-8"))["parts"]
        if not (folder / part["name"]).is_file() or _digest(folder / part["name"]) != part["sha256"]
    ]


def join(folder: Path, name: str, out: Path) -> None:
    """Write the file that the parts make up.

    Raises:
        SystemExit: naming what is absent or damaged.
    """
    if lacking := missing(folder, name):
        raise SystemExit(f"{name}: absent or damaged: {', '.join(lacking)}")
    listed = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    with out.open("wb") as file:
        for part in listed["parts"]:
            file.write((folder / part["name"]).read_bytes())
    if _digest(out) != listed["sha256"]:
        raise SystemExit(f"{name}: the whole file does not have its checksum")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Join, or say what is missing with exit code 3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["join", "missing"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("out", type=Path, nargs="?")
    args = parser.parse_args(argv)
    if args.action == "missing":
        lacking = missing(args.folder, args.name)
        print(" ".join(lacking))
        return 3 if lacking else 0
    if args.out is None:
        parser.error("join needs a file to write")
    join(args.folder, args.name, args.out)
    return 0


if __name__ == "__main__":
    run(main)
