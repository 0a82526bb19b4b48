"""What a manifest says of a published file, and how a manifest is read.

A manifest is a small YAML file in ``data/``: addresses, sizes, checksums, licences, class splits
and the quirks of what was published. ``docs/corpora.md`` describes the format.
"""

from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from s2igan.engine.section import Section
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError

DIGITS = {"md5": 32, "sha256": 64}
"""Hexadecimal digits of a checksum, per algorithm."""


class Checksum(Section):
    """The checksum of a whole file, in lower-case hexadecimal."""

    algorithm: Literal["md5", "sha256"]
    value: str = Field(pattern=r"^[0-9a-f]+$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.value) != DIGITS[self.algorithm]:
            raise ValueError(
                f"{len(self.value)} digits; a {self.algorithm} has {DIGITS[self.algorithm]}"
            )
        return self


class Source(Section):
    """Whose work a file holds and what may be done with it."""

    citation: str = Field(min_length=1)
    licence: str = Field(min_length=1)


class PublishedFile(Section):
    """One file that somebody else publishes.

    Attributes:
        name: file name, as it lies in the folder of archives.
        address: where it is published; None for a copy that was made of other files.
        mirrors: further addresses of the same bytes.
        note: what a person has to know to get it by hand, such as how a copy was made.
        bytes: its size; None where nobody has stated it.
        checksum: None where nobody has published one: the contents are checked instead, and the
            corpus states the SHA-256 that it was built from.
        source: key of the manifest's ``sources``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    address: str | None = Field(pattern=r"^https://")
    mirrors: list[str]
    note: str | None
    bytes: int | None = Field(ge=1)
    checksum: Checksum | None
    source: str


M = TypeVar("M", bound=Section)


def read_manifest(path: Path, model: type[M]) -> M:
    """Read a manifest strictly.

    Raises:
        UserError: if the file is missing or is not YAML, or for all keys at once that are unknown,
            missing or wrong.
    """
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise UserError(f"manifest {str(path)!r}", got="; ".join(wrong)) from error


def check_sources(sources: dict[str, Source], files: list[PublishedFile]) -> None:
    """Refuse a file whose source the manifest does not describe.

    Raises:
        ValueError: naming the files.
    """
    lost = [f"{file.name} ({file.source})" for file in files if file.source not in sources]
    if lost:
        raise ValueError(f"no such source for {', '.join(lost)}; known are {', '.join(sources)}")
