import json
from pathlib import Path

import pyarrow as pa
import pytest

from s2igan.engine.tables import read_json, read_table, write_json, write_table
from s2igan.errors import UserError


def test_a_table_has_the_same_bytes_whoever_made_it(tmp_path: Path) -> None:
    table = pa.table({"name": ["a", "b"], "class_id": [1, 0]})
    write_table(tmp_path / "plain.parquet", table)
    write_table(tmp_path / "noted.parquet", table.replace_schema_metadata({"host": "here"}))
    assert (tmp_path / "noted.parquet").read_bytes() == (tmp_path / "plain.parquet").read_bytes()
    read = read_table(tmp_path / "plain.parquet", ["class_id"], only=True)
    assert {name: read[name].tolist() for name in read} == {"class_id": [1, 0]}


def test_json_carries_six_digits_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "m" / "a.json", {"x": 1 / 3, "deep": [{"y": (2.0, 1e-9)}]})
    read = json.loads((tmp_path / "m" / "a.json").read_text())
    assert read == {"x": 0.333333, "deep": [{"y": [2.0, 1e-9]}]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", {"x": float("nan")})


def test_a_missing_table_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `dvc repro`"):
        read_table(tmp_path / "absent.parquet", [])


@pytest.mark.parametrize("kept", [0, 300, -9])
def test_a_torn_table_is_told_in_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.parquet"
    write_table(path, pa.table({"class_id": range(1000)}))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"^table '.*torn.parquet'; got .*; run `dvc repro`$"):
        read_table(path, [])


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    write_table(path, pa.table({"class_id": [0, 1]}))
    with pytest.raises(UserError, match="got no column 'image'"):
        read_table(path, ["class_id", "image"])


def test_columns_come_as_a_schema_says_or_are_refused(tmp_path: Path) -> None:
    path, wanted = tmp_path / "edited.parquet", pa.schema([("class_id", pa.int32())])
    write_table(path, pa.table({"class_id": [0.0, 1.0]}))
    assert read_table(path, wanted)["class_id"].dtype == "int32"
    for values in (["red", "blue"], [0.5, 1.0], [[0], [1]]):
        write_table(path, pa.table({"class_id": values}))
        with pytest.raises(UserError, match=r"edited\.parquet'; got .*; run `dvc repro`"):
            read_table(path, wanted)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ('{"bands": 4', "Expecting"),
        ("\xef\xbb\xbf{}", "Expecting value"),
        ("[40]", r"no object but \[40\]"),
        ("{}", "no int 'bands'"),
        ('{"bands": "40"}', "no int 'bands'"),
        ("[" * 200_000, ""),
    ],
)
def test_broken_json_names_the_stage_that_wrote_it(tmp_path: Path, text: str, got: str) -> None:
    path = tmp_path / "mel.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"got {got}.*; run `dvc repro features`$"):
        read_json(path, "features", bands=int)
