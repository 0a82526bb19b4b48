import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from s2igan.engine.curves import write_curves
from s2igan.engine.folders import fresh_folder, write_whole
from s2igan.engine.pictures import save_png
from s2igan.engine.tables import write_json
from s2igan.errors import UserError
from s2igan.evaluation.class_table import write_class_table


def test_a_folder_appears_whole_and_replaces_the_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "old").mkdir(parents=True)
    with fresh_folder(out) as partial:
        (partial / "new").write_text("x")
        assert (out / "old").is_dir()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_earlier_folder(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    (out / "old").mkdir(parents=True)

    def fail() -> None:
        with fresh_folder(out) as partial:
            (partial / "half").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_a_folder_that_another_run_writes_is_left_to_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = (
        "import sys; from pathlib import Path; from s2igan.engine.folders import fresh_folder\n"
        "with fresh_folder(Path(sys.argv[1])) as partial:\n"
        "    print(flush=True)\n"
        "    sys.stdin.read()\n"
        "    (partial / 'theirs').touch()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        with pytest.raises(UserError, match="another run right now"), fresh_folder(out):
            pytest.fail("it began")
        other.stdin.close()
        assert other.wait() == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_of_runs_that_begin_together_one_writes_and_the_others_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def write_often(name: str) -> int:
        written = 0
        for _ in range(300):
            with suppress(UserError), fresh_folder(out) as partial:
                assert not list(partial.iterdir())
                (partial / name).touch()
                assert [path.name for path in partial.iterdir()] == [name]
                written += 1
        return written

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(write_often, "abc")) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    (left / "half").mkdir(parents=True)
    (left / "file").touch()
    (left / "link").symlink_to(tmp_path)
    with fresh_folder(tmp_path / "out") as partial:
        assert not list(partial.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


KILLED = """
import os, shutil, sys
from pathlib import Path
from s2igan.engine import folders

def killed(*_, **__):
    os._exit(9)

setattr(*{"renames": (Path, "rename"), "deletes": (shutil, "rmtree")}[sys.argv[2]], killed)
with folders.fresh_folder(Path(sys.argv[1])) as partial:
    (partial / "new").touch()
"""


@pytest.mark.parametrize(("at", "holds"), [("renames", "old"), ("deletes", "new")])
def test_a_kill_leaves_the_earlier_folder_or_the_new_one(
    tmp_path: Path, at: str, holds: str
) -> None:
    out = tmp_path / "out"
    (out / "old").mkdir(parents=True)
    assert subprocess.run([sys.executable, "-c", KILLED, out, at], check=False).returncode == 9
    assert [path.name for path in out.iterdir()] == [holds]
    with fresh_folder(out) as partial:
        assert [path.name for path in out.iterdir()] == [holds]
        (partial / "next").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "next"]


def test_what_a_kill_between_two_renames_has_moved_away_is_put_back(tmp_path: Path) -> None:
    (tmp_path / ".out.0a.replaced" / "old").mkdir(parents=True)
    with pytest.raises(ValueError, match="x"), fresh_folder(tmp_path / "out"):
        raise ValueError("x")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_a_file_system_without_locks_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with fresh_folder(tmp_path / "out") as partial:
        (partial / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "new"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    disk = tmp_path / "disk" / "out"
    (disk / "old").mkdir(parents=True)
    (tmp_path / "out").symlink_to(disk)
    with fresh_folder(tmp_path / "out") as partial:
        assert partial.parent == disk.parent
        (partial / "new").write_text("x")
    assert (tmp_path / "out").is_symlink()
    assert [path.name for path in disk.iterdir()] == ["new"]


def test_a_file_in_its_place_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="got a file"), fresh_folder(tmp_path / "out"):
        pytest.fail("it began")
    assert (tmp_path / "out").read_text() == "x"


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_json(path, {"mAP": 0.5}),
        lambda path: write_curves(path, [{"step": 1, "loss": 0.5}]),
        lambda path: write_class_table(path, {}, {}),
        lambda path: save_png(path, np.zeros((8, 8, 3), np.uint8)),
    ],
)
def test_a_file_has_its_name_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    out = tmp_path / "plots" / "out"
    write(out)
    whole = out.read_bytes()
    out.write_bytes(b"the one before")

    def fail(partial: Path, target: Path) -> None:
        assert partial.read_bytes() == whole
        assert target.read_bytes() == b"the one before"
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write(out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_link_into_a_cache_is_replaced_and_a_device_is_written_to(tmp_path: Path) -> None:
    cached, soft, hard = (tmp_path / name for name in ("cached", "soft", "hard"))
    cached.write_bytes(b"the one before")
    soft.symlink_to(cached)
    hard.hardlink_to(cached)
    for out in (soft, hard):
        write_whole(out, b"new")
        assert out.read_bytes() == b"new"
    assert cached.read_bytes() == b"the one before"
    write_whole(Path("/dev/null"), b"new")
    assert Path("/dev/null").is_char_device()


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(tmp_path: Path) -> None:
    thesis, out = tmp_path / "thesis", tmp_path / "out"
    thesis.write_bytes(b"years of work")
    (tmp_path / ".out.partial").symlink_to(thesis)
    write_whole(out, b"new")
    assert thesis.read_bytes() == b"years of work"
    assert out.read_bytes() == b"new"
    assert not out.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "thesis"]


def test_standard_output_is_written_to_wherever_it_leads(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from s2igan.engine.folders import write_whole; "
        "write_whole(Path('/dev/stdout'), b'new')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"new"
    assert Path("/dev/stdout").is_symlink()
