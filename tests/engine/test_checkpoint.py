import subprocess
import sys
from pathlib import Path

import pytest
import torch

from s2igan.engine.checkpoint import CheckpointStore, checkpoint_key, open_store
from s2igan.errors import UserError


def test_a_state_comes_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "key") as store:
        assert store.load() is None
        store.save({"step": 3, "model": {"w": torch.ones(2)}, "rows": [{"loss": 0.5}]})
    with open_store(tmp_path / "key") as store:
        state = store.load()
        assert state is not None
        assert state["step"] == 3
        assert torch.equal(state["model"]["w"], torch.ones(2))
        store.clear()
        assert store.load() is None


def test_nothing_is_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = CheckpointStore(tmp_path)
    torch.save({"path": Path("x")}, tmp_path / "state.pt")
    with pytest.raises(Exception, match=r"[Ww]eights only"):
        store.load()
    assert capsys.readouterr().err == ""


def test_a_torn_file_starts_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = CheckpointStore(tmp_path)
    store.save({"step": 1})
    whole = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
    assert store.load() is None
    assert "starting over" in capsys.readouterr().err


def test_a_failing_save_leaves_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    store.save({"step": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save({"step": 2})
    assert store.load() == {"step": 1}


def test_a_store_is_locked_against_other_processes(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from s2igan.engine.checkpoint import open_store\n"
        "with open_store(Path(sys.argv[1])): pass\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "key")]
    with open_store(tmp_path / "key"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "in use by another run" in done.stderr
        with pytest.raises(UserError, match="in use"), open_store(tmp_path / "key"):
            pass
    assert subprocess.run(command, check=False).returncode == 0


def test_a_store_without_a_folder_keeps_nothing() -> None:
    store = CheckpointStore(None)
    store.save({"step": 1})
    assert store.load() is None
    store.clear()


def test_other_ranks_read_and_do_not_write(tmp_path: Path) -> None:
    CheckpointStore(tmp_path).save({"step": 1})
    with open_store(tmp_path, readonly=True) as store:
        store.save({"step": 2})
        store.clear()
        assert store.load() == {"step": 1}


def test_the_key_follows_parameters_inputs_and_sources(tmp_path: Path) -> None:
    folder, source = tmp_path / "corpus", tmp_path / "train.py"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"1")
    source.write_text("x = 1\n")

    def key(parameters: str = "{}") -> str:
        return checkpoint_key(parameters, [folder], [source])

    keys = [key(), key('{"steps": 2}')]
    (folder / "a.npy").write_bytes(b"2")
    keys.append(key())
    (folder / "b.npy").write_bytes(b"")
    keys.append(key())
    source.write_text("x = 2\n")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == key()


def test_large_files_count_with_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2igan.engine.checkpoint._WHOLE_FILE_BYTES", 8)
    monkeypatch.setattr("s2igan.engine.checkpoint._SAMPLE_BYTES", 2)
    path = tmp_path / "big"
    keys = []
    for content in (b"abcdefghij", b"Xbcdefghij", b"abcdefghiX", b"abcdefghijk"):
        path.write_bytes(content)
        keys.append(checkpoint_key("", [path], []))
    assert len(set(keys)) == 4
