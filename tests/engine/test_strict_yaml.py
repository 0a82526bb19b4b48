import math
from pathlib import Path

import pytest

from s2igan.engine.strict_yaml import parse_yaml, read_yaml
from s2igan.errors import UserError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-5),
        ("2E+3", 2000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("+3", 3),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("no", "no"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    parsed = parse_yaml(f"key: {text}")
    assert isinstance(parsed, dict)
    assert parsed["key"] == value
    assert type(parsed["key"]) is type(value)


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rdg:\n  steps: 1\n  steps: 2\n")
    with pytest.raises(UserError, match=r"line 3; got duplicate key 'steps'"):
        read_yaml(path)


def test_a_value_that_is_nested_too_deeply_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("[" * 5000)
    with pytest.raises(UserError, match=r"^'.*a\.yaml'; got a value nested too deeply; "):
        read_yaml(path)


@pytest.mark.parametrize(
    "content",
    [
        b"a: [1",
        b"a: b: c",
        b"\xff\xfe\x00",
        b"a: " + b"9" * 5000,
        b"a: !!bool maybe",
        b"a: !!timestamp nope",
        b"!!python/tuple [1]",
        b"{{ x }}: 1",
        b"[a]: 1",
    ],
    ids=lambda content: content[:24].decode(errors="replace"),
)
def test_what_is_no_plain_yaml_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert "a.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 200
