"""The links of docs/method.md into the code, and the command that sets their line numbers anew.

    python -m tests.method_links

A link reads ``name [label:line](../path#Lline)`` with the name in code font: a function, a class,
``Class.method``, or a name assigned at the top of a module or class. Where ``(fragment)`` in code
font follows the name, the line is the first one of it that holds the fragment, comments and
docstrings included; else it is the one that begins the definition.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
METHOD = ROOT / "docs" / "method.md"

LINK = re.compile(
    r"`(?P<name>[\w.]+)`(?P<held> \(`(?P<fragment>[^`]+)`\))? "
    r"\[(?P<label>[^\]]+):(?P<shown>\d+)\]\(\.\./(?P<path>[^)#]+)#L(?P<line>\d+)\)"
)


@dataclass(frozen=True)
class Span:
    """The first and the last line of a definition, from 1."""

    first: int
    last: int


def spans(source: str) -> dict[str, Span]:
    """Find what a module defines, methods and fields as ``Class.name``."""
    return dict(_definitions(ast.parse(source).body, ""))


def _definitions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Span]]:
    for node in body:
        span = Span(node.lineno, node.end_lineno or node.lineno)
        match node:
            case ast.FunctionDef(name=name):
                yield f"{prefix}{name}", span
            case ast.ClassDef(name=name, body=inner):
                yield f"{prefix}{name}", span
                yield from _definitions(inner, f"{prefix}{name}.")
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield f"{prefix}{name}", span
            case ast.Assign(targets=targets):
                for target in targets:
                    for part in ast.walk(target):
                        if isinstance(part, ast.Name):
                            yield f"{prefix}{part.id}", span


@cache
def _module(path: Path) -> tuple[list[str], Mapping[str, Span]]:
    source = path.read_text(encoding="utf-8")
    return source.splitlines(), spans(source)


def line_of(path: Path, name: str, fragment: str | None) -> int:
    """Return the line that a link should name.

    Raises:
        LookupError: if the file does not define the name, or the definition lacks the fragment.
    """
    lines, found = _module(path)
    if name not in found:
        raise LookupError(f"{path.name} defines no {name}")
    span = found[name]
    if fragment is None:
        return span.first
    for number in range(span.first, span.last + 1):
        if fragment in lines[number - 1]:
            return number
    raise LookupError(f"{name} of {path.name} holds no {fragment!r}")


def renumbered(text: str) -> str:
    """Return the document with every line number as the code has it now.

    Raises:
        LookupError: naming every link that leads nowhere.
    """
    wrong: list[str] = []

    def link(found: re.Match[str]) -> str:
        name, path = found["name"], ROOT / found["path"]
        try:
            if not path.is_file():
                raise LookupError(f"no file {found['path']}")
            line = line_of(path, name, found["fragment"])
        except LookupError as error:
            wrong.append(str(error))
            return found[0]
        return (
            f"`{name}`{found['held'] or ''} [{found['label']}:{line}](../{found['path']}#L{line})"
        )

    renewed = LINK.sub(link, text)
    if wrong:
        raise LookupError("; ".join(wrong))
    return renewed


if __name__ == "__main__":
    METHOD.write_text(renumbered(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
