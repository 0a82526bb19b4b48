from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2igan.errors import UserError
from s2igan.speech.audio import Pcm
from s2igan.speech.shards import (
    SHARD_SIZE,
    SpeechShards,
    Spoken,
    shard_path,
    write_shard,
)

RATE = 22050


def _pcm(utterance: int) -> Pcm:
    rng = np.random.default_rng(utterance)
    return rng.integers(-3000, 3000, 40 + utterance % 7).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("speech")
    for shard, stop in enumerate((SHARD_SIZE, SHARD_SIZE + 37)):
        rows = range(shard * SHARD_SIZE, stop)
        spoken = (Spoken(row, "en-us", 170, None, _pcm(row)) for row in reversed(rows))
        write_shard(shard_path(written, shard), spoken, RATE)
    return written


def test_a_shard_of_long_recordings_is_written_and_read_a_part_at_a_time(
    tmp_path: Path,
) -> None:
    pcm = np.random.default_rng(0).integers(-9999, 9999, 22050).astype(np.int16)
    path, before = shard_path(tmp_path, 0), pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        write_shard(path, (Spoken(row, None, None, None, pcm) for row in range(160)), 22050)
        assert sum(len(samples) for _, samples, _ in SpeechShards(tmp_path)) == 160 * len(pcm)
    finally:
        pa.set_memory_pool(before)
    assert 0 < pool.max_memory() < path.stat().st_size / 2


def test_columns_are_those_of_the_contract(folder: Path) -> None:
    table = pq.read_table(folder / "speech-00001.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "utterance": "int32",
        "voice": "string",
        "rate": "int32",
        "pitch": "int32",
        "flac": "binary",
    }
    assert table["pitch"].null_count == 37
    assert table["utterance"][0].as_py() == SHARD_SIZE


def test_iterates_over_all_utterances_in_order(folder: Path) -> None:
    numbers = []
    for utterance, samples, rate_hz in SpeechShards(folder):
        numbers.append(utterance)
        assert rate_hz == RATE
        np.testing.assert_array_equal(samples * 32768, _pcm(utterance))
    assert numbers == list(range(SHARD_SIZE + 37))


@pytest.mark.parametrize("utterance", [0, 15, 16, 511, 512, 548])
def test_reads_one_utterance(folder: Path, utterance: int) -> None:
    samples, rate_hz = SpeechShards(folder)[utterance]
    assert rate_hz == RATE
    np.testing.assert_array_equal(samples * 32768, _pcm(utterance))


@pytest.mark.parametrize("utterance", [-1, 549])
def test_refuses_utterances_that_are_not_there(folder: Path, utterance: int) -> None:
    shards = SpeechShards(folder)
    assert len(shards) == 549
    with pytest.raises(IndexError, match=f"utterance {utterance} of 549"):
        _ = shards[utterance]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"speech folder .*no shard"):
        SpeechShards(tmp_path)


def test_a_damaged_or_foreign_shard_is_told(folder: Path, tmp_path: Path) -> None:
    second = shard_path(folder, 1).read_bytes()
    for content, told in ((second[: len(second) // 2], "got "), (second, "got other utterances")):
        shard_path(tmp_path, 0).write_bytes(content)
        with pytest.raises(UserError, match=rf"speech-00000.parquet'; {told}.* `dvc repro tts`"):
            list(SpeechShards(tmp_path))
