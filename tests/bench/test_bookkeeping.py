from pathlib import Path

from bench.bookkeeping import parts, write


def test_every_part_is_measured_on_what_is_written(tmp_path: Path) -> None:
    write(tmp_path, 1100)
    measured = dict(parts(tmp_path, 1100))
    assert len(measured) == 8
    assert all(seconds > 0 for seconds in measured.values())
