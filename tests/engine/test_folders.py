from pathlib import Path

import pytest

from s2igan.engine.folders import fresh_folder
from s2igan.errors import UserError


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
