"""What a manifest says of a published file, and how a manifest is read.

A manifest is a small YAML file in ``data/``: addresses, sizes, checksums, licences, class splits
and the quirks of what was published. ``docs/corpora.md`` describes the format.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from s2igan.engine.section import Section
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError

DIGITS = {"md5": (32, 32), "sha256": (64, 64), "sha256_prefix": (8, 63)}
"""Fewest and most hexadecimal digits of a checksum, per algorithm."""

Address = Annotated[str, Field(pattern=r"^(https|http|s3)://[^/\s]+/\S+$")]
"""Where a file is published: a web server, Google Drive, or ``s3://<bucket>/<key>``."""


class Checksum(Section):
    """The checksum of a whole file, in lower-case hexadecimal.

    ``sha256_prefix`` holds the first digits alone, as the names of some files carry them.
    """

    algorithm: Literal["md5", "sha256", "sha256_prefix"]
    value: str = Field(pattern=r"^[0-9a-f]+$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        fewest, most = DIGITS[self.algorithm]
        if not fewest <= len(self.value) <= most:
            expected = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise ValueError(f"{len(self.value)} digits; a {self.algorithm} has {expected}")
        return self

    def of(self, path: Path) -> str:
        """Return the same checksum of a file, reading it in a stream."""
        return digest(path, self.algorithm.removesuffix("_prefix"))[: len(self.value)]


class Source(Section):
    """Whose work a file holds and what may be done with it."""

    citation: str = Field(min_length=1)
    licence: str = Field(min_length=1)


class PublishedFile(Section):
    """One file that somebody else publishes.

    Attributes:
        name: file name, as it lies in the folder of archives.
        address: where it is published; None for a copy that was made of other files. An address
            without encryption (``http://``) needs a checksum, which tells what arrived.
        mirrors: further addresses of the same bytes.
        note: what a person has to know to get it by hand, such as how a copy was made.
        bytes: its size; None where nobody has stated it.
        checksum: None where nobody has published one: the contents are checked instead, and the
            corpus states the SHA-256 that it was built from.
        source: key of the manifest's ``sources``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    address: Address | None
    mirrors: list[Address]
    note: str | None
    bytes: int | None = Field(ge=1)
    checksum: Checksum | None
    source: str

    @property
    def addresses(self) -> list[str]:
        """Where it can be fetched, in order."""
        return [*([self.address] if self.address else []), *self.mirrors]

    @model_validator(mode="after")
    def _open_addresses_are_checked(self) -> Self:
        if self.checksum is None and any(a.startswith("http://") for a in self.addresses):
            raise ValueError("http:// without a checksum; expected https:// or a checksum")
        return self

    def difference(self, path: Path) -> str | None:
        """Tell how a file differs in size or checksum from this one; None where it does not."""
        if not path.is_file():
            return "is no file"
        size = path.stat().st_size
        if self.bytes is not None and size != self.bytes:
            return f"has {size} bytes instead of {self.bytes}"
        if self.checksum is not None and (value := self.checksum.of(path)) != self.checksum.value:
            return f"has {self.checksum.algorithm} {value} instead of {self.checksum.value}"
        return None


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file in hexadecimal, reading it in a stream."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


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
