"""The folder ``artifacts/speech``: 512 consecutive utterances per Parquet file, FLAC inside."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from s2igan.errors import UserError, unreadable_output
from s2igan.speech.audio import Pcm, Samples, decode_audio, encode_flac

SHARD_SIZE = 512
"""Utterances per shard, a constant: what espeak-ng says depends on where a shard begins."""

_SCHEMA = pa.schema(
    [
        ("utterance", pa.int32()),
        ("voice", pa.string()),
        ("rate", pa.int32()),
        ("pitch", pa.int32()),
        ("flac", pa.binary()),
    ]
)
# One utterance is read without the rest of its shard.
_ROW_GROUP = 16


class Spoken(NamedTuple):
    """One spoken description.

    ``voice`` is ``None`` for a recording, ``rate_wpm`` and ``pitch`` are where they were not drawn;
    ``pcm`` is ``(n,)`` int16.
    """

    utterance: int
    voice: str | None
    rate_wpm: int | None
    pitch: int | None
    pcm: Pcm


def shard_path(folder: Path, shard: int) -> Path:
    """Return the path of shard number ``shard``."""
    return folder / f"speech-{shard:05d}.parquet"


def write_shard(path: Path, spoken: Iterable[Spoken], rate_hz: int) -> None:
    """Encode and write up to :data:`SHARD_SIZE` utterances, given in any order."""
    rows = sorted(
        (item.utterance, item.voice, item.rate_wpm, item.pitch, encode_flac(item.pcm, rate_hz))
        for item in spoken
    )
    with pq.ParquetWriter(
        path, _SCHEMA, compression="none", use_dictionary=["voice"], write_statistics=False
    ) as writer:
        for start in range(0, len(rows), _ROW_GROUP):  # a table of all would hold all twice
            columns = zip(*rows[start : start + _ROW_GROUP], strict=True)
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=_SCHEMA))


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a shard.

    Raises:
        UserError: if it is missing or damaged, also where that shows in the block.
    """
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise unreadable_output(f"shard {str(path)!r}", error, "tts") from error


class SpeechShards:
    """The utterances of a speech folder, decoded as they are asked for.

    Args:
        folder: what :func:`s2igan.speech.synthesis.speak_corpus` wrote.

    Raises:
        UserError: if there is no shard in it, or one is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = len(list(folder.glob("speech-*.parquet")))
        if not self.shards:
            raise UserError(
                f"speech folder {str(folder)!r}",
                got="no shard",
                expected="an output of the stage tts",
                fix="run `dvc repro`",
            )
        with _opened(shard_path(folder, self.shards - 1)) as last:
            self._length = (self.shards - 1) * SHARD_SIZE + int(last.metadata.num_rows)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, utterance: int) -> tuple[Samples, int]:
        """Return one utterance's samples, ``(n,)`` float32 in [-1, 1), and their rate in Hz."""
        if not 0 <= utterance < len(self):
            raise IndexError(f"utterance {utterance} of {len(self)}")
        shard, row = divmod(utterance, SHARD_SIZE)
        with _opened(shard_path(self.folder, shard)) as file:
            column = file.read_row_group(row // _ROW_GROUP, columns=["flac"]).column("flac")
        return decode_audio(column[row % _ROW_GROUP].as_py(), f"utterance {utterance}")

    def __iter__(self) -> Iterator[tuple[int, Samples, int]]:
        """Yield utterance number, samples and rate of every utterance, in order."""
        for shard in range(self.shards):
            yield from self.shard(shard)

    def shard(self, shard: int) -> Iterator[tuple[int, Samples, int]]:
        """Yield utterance number, samples and rate of one shard's utterances, in order."""
        path, expected = shard_path(self.folder, shard), count(shard * SHARD_SIZE)
        with _opened(path) as file:
            for group in range(file.num_row_groups):  # iter_batches keeps the whole shard
                rows = file.read_row_group(group, columns=["utterance", "flac"])
                for utterance, flac in zip(*rows.columns, strict=True):
                    number = utterance.as_py()
                    if number != next(expected):
                        raise unreadable_output(f"shard {str(path)!r}", "other utterances", "tts")
                    yield number, *decode_audio(flac.as_py(), f"utterance {number}")
