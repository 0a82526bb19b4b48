"""Parquet tables with the same bytes for the same rows, and JSON files that people read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from s2igan.engine.folders import write_whole
from s2igan.errors import unreadable_output


def write_table(path: Path, table: pa.Table) -> None:
    """Write ``table`` as one Parquet file without pandas metadata, times or hosts."""
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_table(
    path: Path, needed: Sequence[str] | pa.Schema, *, only: bool = False
) -> pd.DataFrame:
    """Read a Parquet file.

    Args:
        path: the file.
        needed: columns that it has, perhaps beside others; to the types of a schema they are cast.
        only: whether the others are left out.

    Raises:
        UserError: if the file is missing, damaged, or lacks a column or has other values in it.
    """
    what = f"table {str(path)!r}"
    types = needed if isinstance(needed, pa.Schema) else pa.schema([])
    names = types.names or needed
    if not path.is_file():
        raise unreadable_output(what, "no such file")
    try:
        table = pq.read_table(path, columns=[*names] if only else None)
        if missing := [name for name in names if name not in table.column_names]:
            raise unreadable_output(what, f"no column {missing[0]!r}")
        for field in types:
            place = table.column_names.index(field.name)
            table = table.set_column(place, field, table.column(place).cast(field.type))
        # Whatever wrote it, a column stays one, and rows are numbered.
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (OSError, pa.ArrowException) as error:
        raise unreadable_output(what, error) from error
    return frame


def read_json(path: Path, stage: str, **keys: type) -> dict[str, Any]:
    """Read a JSON object that ``stage`` wrote.

    Args:
        path: the file.
        stage: its name.
        keys: keys that it has, perhaps beside others, with the types of their values.

    Raises:
        UserError: if the file is missing, damaged, or lacks a key.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable_output(repr(str(path)), error, stage) from error
    if not isinstance(value, dict):
        raise unreadable_output(repr(str(path)), f"no object but {value!r}", stage)
    for key, kind in keys.items():
        if not isinstance(value.get(key), kind):
            raise unreadable_output(repr(str(path)), f"no {kind.__name__} {key!r}", stage)
    return value


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write ``value`` as indented JSON; floats carry six significant digits.

    Raises:
        ValueError: if a float is NaN or infinite.
    """
    text = json.dumps(_rounded(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
