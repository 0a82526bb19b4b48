"""The descriptions of a corpus as things to speak: texts or recordings, shard by shard."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from s2igan.corpora.index import Corpus
from s2igan.errors import UserError
from s2igan.speech.shards import SHARD_SIZE


class Description(NamedTuple):
    """One description: its row, how an error names it, its split, and its text or recording.

    Of a recording ``content`` is the row: audio is read where it is decoded, not handed over.
    """

    utterance: int
    name: str
    split: str
    content: str | int


class Descriptions:
    """Every description of a corpus, each with what an engine of the section ``tts`` needs.

    ``recorded`` needs recordings, the others need text.

    Raises:
        UserError: if descriptions lack what the engine needs; the first is named.
    """

    def __init__(self, corpus: Path, engine: str) -> None:
        self._source = Corpus(corpus)
        self._column = "recording" if engine == "recorded" else "text"
        self._check()

    def __len__(self) -> int:
        return len(self._source.descriptions)

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-len(self) // SHARD_SIZE)

    def shard(self, shard: int) -> list[Description]:
        """Return the descriptions of one shard, in order."""
        rows = range(shard * SHARD_SIZE, min((shard + 1) * SHARD_SIZE, len(self)))
        descriptions = self._source.descriptions.iloc[rows.start : rows.stop]
        columns = (descriptions[column].tolist() for column in ("split", self._column))
        return [
            Description(row, self._source.description_name(row), split, content)
            for row, split, content in zip(rows, *columns, strict=True)
        ]

    def _check(self) -> None:
        contents = self._source.descriptions[self._column]
        missing = contents.isna() if self._column == "recording" else _blank(contents)
        if not missing.any():
            return
        first = int(missing.to_numpy().argmax())
        raise UserError(
            f"{self._column} of {self._source.description_name(first)}",
            got="none" if pd.isna(contents.iloc[first]) else "no words",
            expected=f"a {self._column} for every description; "
            f"{missing.sum()} of {len(missing)} lack it",
            fix=self._fix(),
        )

    def _fix(self) -> str:
        other, engine = ("recording", "recorded") if self._column == "text" else ("text", "espeak")
        fix = "take the description out of the corpus"
        if self._source.descriptions[other].notna().any():
            return f"set tts.engine to {engine}, or {fix}"
        return fix


def _blank(texts: "pd.Series[str]") -> "pd.Series[bool]":
    return texts.isna() | (texts.fillna("").str.strip() == "")
