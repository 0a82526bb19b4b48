"""Base of every typed section of ``params.yaml``, and what it expects in the words of a line."""

import re

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen, strict section: unknown keys and silently converted types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def wanted(message: str) -> str:
    """Return what was expected, out of pydantic's sentence about a value that is wrong."""
    return re.sub(r"^(\w+ should (be |have |match )?|Value error, )", "", message)
