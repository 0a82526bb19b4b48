import json
from pathlib import Path

import pyarrow as pa
import pytest

from s2igan.engine.tables import read_table, write_json, write_table
from s2igan.errors import UserError


def test_a_table_has_the_same_bytes_whoever_made_it(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "b"], "class_id": [1, 0]})
    write_table(tmp_path / "plain.parquet", table)
    write_table(tmp_path / "noted.parquet", table.replace_schema_metadata({"host": "here"}))
    assert (tmp_path / "noted.parquet").read_bytes() == (tmp_path / "plain.parquet").read_bytes()
    assert read_table(tmp_path / "plain.parquet", ["class_id"])["class_id"].tolist() == [1, 0]


def test_json_carries_six_digits_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "m" / "a.json", {"x": 1 / 3, "deep": [{"y": (2.0, 1e-9)}]})
    read = json.loads((tmp_path / "m" / "a.json").read_text())
    assert read == {"x": 0.333333, "deep": [{"y": [2.0, 1e-9]}]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", {"x": float("nan")})


def test_a_missing_table_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `dvc repro`"):
        read_table(tmp_path / "absent.parquet")
