import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s2igan.serving.fetched import fetched


def test_what_two_want_at_once_is_fetched_once_and_given_whole_to_both(tmp_path: Path) -> None:
    folder, starts = tmp_path / "models" / "one", threading.Barrier(2)
    fetches: list[Path] = []

    def fetch(partial: Path) -> None:
        fetches.append(partial)
        (partial / "a").touch()
        time.sleep(0.2)
        (partial / "b").touch()

    def want() -> set[str]:
        starts.wait()
        return {path.name for path in fetched(folder, fetch).iterdir()}

    with ThreadPoolExecutor(2) as both:
        assert [each.result() for each in (both.submit(want), both.submit(want))] == [
            {"a", "b"},
            {"a", "b"},
        ]
    assert len(fetches) == 1


def test_a_fetch_that_fails_keeps_nothing(tmp_path: Path) -> None:
    def fail(partial: Path) -> None:
        (partial / "half").touch()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        fetched(tmp_path / "one", fail)
    assert not (tmp_path / "one").exists()
    fetched(tmp_path / "one", lambda partial: (partial / "whole").touch())
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["whole"]
