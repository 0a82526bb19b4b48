from collections.abc import Iterator

import pytest

from s2igan.corpora.fetching import patience

from .server import FileServer


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_DELAY_S", 0.001)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running
