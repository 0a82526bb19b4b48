"""Parquet tables with the same bytes for the same rows, and JSON files that people read."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from s2igan.errors import UserError


def write_table(path: Path, table: pa.Table) -> None:
    """Write ``table`` as one Parquet file without pandas metadata, times or hosts."""
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file, or only some of its columns.

    Raises:
        UserError: if the file is missing.
    """
    if not path.is_file():
        raise UserError(
            f"table {str(path)!r}",
            got="no such file",
            expected="an output of an earlier stage",
            fix="run `dvc repro`",
        )
    frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return frame


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write ``value`` as indented JSON; floats carry six significant digits.

    Raises:
        ValueError: if a float is NaN or infinite.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
