"""YAML as people mean it: the scalars of YAML 1.2's core schema, no duplicate keys.

PyYAML follows YAML 1.1, where ``1e-05`` is a string and ``on``, ``off``, ``yes`` and ``no`` are
booleans; ``dvc exp run -S`` writes the first and nobody expects the second.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from s2igan.errors import UserError

_SCALARS: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN"),
)

_SHOWN = 40


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with other scalars and without duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML says nothing of its own about a value that does not go with its tag.
            scalar = isinstance(node, yaml.ScalarNode)
            value = repr(node.value[:_SHOWN]) if scalar else "a list or a mapping"
            told = f"{value}, which is no {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, told, node.start_mark) from error

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[Hashable] = set()
        # What is no mapping, whatever its tag says, is refused by the parent.
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a list or a mapping as a key", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key!r}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _construct_int(_: _Loader, node: yaml.ScalarNode) -> int:
    # YAML 1.2 knows no leading-zero octals, no sexagesimals and no underscores.
    text = node.value
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def _construct_float(_: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value.lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), [*_first])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def read_yaml(path: Path) -> object:
    """Read one YAML document.

    Raises:
        UserError: if the file is missing, is not YAML or has a key twice.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise UserError(
            f"{str(path)!r}{place}", got=error.problem, expected="one YAML document, each key once"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            f"{str(path)!r}", got=" ".join(str(error).split()), expected="YAML text in UTF-8"
        ) from error
    except OSError as error:
        raise UserError(
            f"{str(path)!r}", got=error.strerror, expected="a readable YAML file"
        ) from error


def parse_yaml(text: str) -> object:
    """Parse one YAML document.

    Raises:
        yaml.YAMLError: if ``text`` is not YAML or has a key twice.
    """
    try:
        value: object = yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise yaml.YAMLError("lists or mappings that are nested too deeply") from None
    return value
