"""Base of every typed section of ``params.yaml``, and what it expects in the words of a line."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Section(BaseModel):
    """A frozen, strict section: unknown keys and silently converted types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def wanted(message: str) -> str:
    """Return what was expected, out of pydantic's sentence about a value that is wrong."""
    return re.sub(r"^(\w+ should (be |have |match )?|Value error, )", "", message)


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
        got = _shown(problem["input"])
        return f"{key}: unknown key; got {got}; expected one that {known}"
    if problem["type"] == "missing":
        return f"{key}: got nothing; expected a value, as {known}"
    return f"{key}: got {_shown(problem['input'])}; expected {wanted(str(problem['msg']))}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
