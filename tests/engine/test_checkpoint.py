import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from s2igan.engine.checkpoint import KEPT, CheckpointStore, checkpoint_key, open_store
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
    store.save({"step": 1, "path": Path("x")})
    with pytest.raises(Exception, match=r"[Ww]eights only"):
        store.load()
    assert capsys.readouterr().err == ""


def test_the_last_three_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (8, 9, 10, 11, 100):
        store.save({"step": step})
    kept = [path.name.split("-")[1] for path in sorted(tmp_path.iterdir())]
    assert [int(step) for step in kept] == [10, 11, 100]
    assert store.load() == {"step": 100}


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = content.index(torch.full((8,), 7.0).numpy().tobytes())
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b""], ids=["cut", "flip", "empty"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    store = CheckpointStore(tmp_path)
    states = [{"step": step, "w": torch.full((8,), 7.0)} for step in (1, 2)]
    for state in states:
        store.save(state)
    first, second = sorted(tmp_path.iterdir())
    second.write_bytes(damage(second.read_bytes()))
    # A process that does not write takes the same one and leaves the removal to the one that does.
    for reader, remaining in ((CheckpointStore(tmp_path, readonly=True), 2), (store, 1)):
        loaded = reader.load()
        assert loaded is not None
        assert loaded["step"] == 1
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert f"{str(second)!r} is damaged, taking the one before it" in told
        assert len(list(tmp_path.iterdir())) == remaining
    first.write_bytes(damage(first.read_bytes()))
    assert store.load() is None
    assert f"{str(first)!r} is damaged, starting over" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_checkpoint_that_cannot_be_read_for_a_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save({"step": step})

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", fail)
        with pytest.raises(UserError, match=f"got {os.strerror(number)}; .*it was not deleted"):
            store.load()
    assert store.load() == {"step": 2}


def test_a_checkpoint_that_another_process_removed_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save({"step": step})
    listed = sorted(tmp_path.iterdir())
    listed[1].unlink()
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
    assert store.load() == {"step": 1}
    assert "taking the one before it: it is gone" in capsys.readouterr().err


def test_what_a_kill_leaves_of_a_write_is_no_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save({"step": 1})
    (tmp_path / "partial").write_bytes(b"half")
    assert store.load() == {"step": 1}
    store.save({"step": 2})
    assert not (tmp_path / "partial").exists()
    assert store.load() == {"step": 2}


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
    assert len(list(tmp_path.iterdir())) == 1


def test_a_state_has_its_name_on_the_disk_before_the_oldest_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, done = CheckpointStore(tmp_path), list[str]()
    for step in range(KEPT):
        store.save({"step": step})
    sync, unlink = os.fsync, Path.unlink

    def synced(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def deleted(path: Path, missing_ok: bool = False) -> None:
        done.append("delete")
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "unlink", deleted)
    store.save({"step": KEPT})
    assert done == ["file", "folder", "delete"]


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
    (folder / "b.npy").rename(folder / "c.npy")
    keys.append(key())
    source.write_text("x = 2\n")
    keys.append(key())
    source = source.rename(tmp_path / "trained.py")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == key()


def test_the_key_does_not_follow_the_order_of_the_sources(tmp_path: Path) -> None:
    sources = [tmp_path / "a.py", tmp_path / "b.py"]
    for path in sources:
        path.write_text(f"name = {path.name!r}\n")
    assert checkpoint_key("", [], sources) == checkpoint_key("", [], reversed(sources))


def test_large_files_count_with_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2igan.engine.checkpoint._WHOLE_FILE_BYTES", 8)
    monkeypatch.setattr("s2igan.engine.checkpoint._SAMPLE_BYTES", 2)
    path = tmp_path / "big"
    keys = []
    for content in (b"abcdefghij", b"Xbcdefghij", b"abcdefghiX", b"abcdefghhij"):
        path.write_bytes(content)
        keys.append(checkpoint_key("", [path], []))
    assert len(set(keys)) == 4
