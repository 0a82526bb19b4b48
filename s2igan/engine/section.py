"""Base of every typed section of ``params.yaml``, and what it expects in the words of a line."""

import re
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

_SHOWN = 60  # letters of a value that an error shows


class Section(BaseModel):
    """A frozen, strict section: unknown keys and silently converted types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def matching(pattern: str, expected: str) -> AfterValidator:
    """Return a validator of text that must match a pattern as a whole.

    Args:
        pattern: a regular expression.
        expected: what it means, in words.
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text

    return AfterValidator(check)


def wanted(message: str) -> str:
    """Return what was expected, out of pydantic's sentence about a value that is wrong.

    A validator of this project raises a ``ValueError`` that says what is expected, and no more.
    """
    began = r"^(\w+ should (be |have )?|Value error, )"
    ended = r" (or instance of \w+|after validation, not \d+)$"
    return re.sub(f"{began}|{ended}", "", message)


def field_problems(error: ValidationError, known: str = "the files in presets/ have") -> list[str]:
    """Return one line per wrong key: dotted key, what was got, what was expected.

    Args:
        error: what pydantic says.
        known: what shows all keys, with its verb.
    """
    return [_problem(dict(problem), known) for problem in error.errors(include_url=False)]


def _problem(problem: dict[str, Any], known: str) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] in ("extra_forbidden", "invalid_key"):
        got = shown(problem["input"])
        return f"{key}: unknown key; got {got}; expected one that {known}"
    if problem["type"] == "missing":
        return f"{key}: got nothing; expected a value, as {known}"
    return f"{key}: got {shown(problem['input'])}; expected {wanted(str(problem['msg']))}"


def shown(value: object) -> str:
    """Return ``repr(value)``, of which only the start is written where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
