from pathlib import Path

import pytest

from s2igan.engine.folders import fresh_folder


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
