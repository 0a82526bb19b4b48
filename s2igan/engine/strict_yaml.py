"""YAML as people mean it: the scalars of YAML 1.2's core schema, no duplicate keys.

PyYAML follows YAML 1.1, where ``1e-05`` is a string and ``on``, ``off``, ``yes`` and ``no`` are
booleans; ``dvc exp run -S`` writes the first and nobody expects the second.
"""

import re
from collections.abc import Hashable
from pathlib import Path

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


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with other scalars and without duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # the parent refuses lists and mappings as keys
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key.value!r}", key.start_mark
                )
            seen.add(key.value)
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

# What PyYAML raises besides, of other bytes than UTF-8 and of values that are none of their tag's.
_NO_VALUE = (ValueError, KeyError, AttributeError)


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
    except RecursionError as error:
        raise UserError(
            f"{str(path)!r}", got="a value nested too deeply", expected="one YAML document"
        ) from error
    except (yaml.YAMLError, *_NO_VALUE) as error:
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
    value: object = yaml.load(text, Loader=_Loader)
    return value
