from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdown
import pytest
import requests

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError

from .files import CONTENT, entry, names

ADDRESS = "https://drive.google.com/open?id=0B0ywwgffWnLL&resourcekey=0-Av8zFbeDDvNc"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "birds.tgz"


def download(sent: bytes = CONTENT, error: Exception | None = None) -> Callable[..., str]:
    """A stand-in of gdown's function that writes ``sent`` and then fails with ``error``."""

    def stand_in(*, output: str, progress: Callable[[int, int | None], None], **_: Any) -> str:
        path = Path(output)
        path = path if error is None else path.with_name(path.name + "abcdefgh.part")
        for size in range(0, len(sent) + 1, len(sent) // 4 or 1):
            progress(size, len(sent))
        with path.open("ab") as file:
            file.write(sent[path.stat().st_size :])
        if error is not None:
            raise error
        return output

    return stand_in


def refused(target: Path) -> str:
    with pytest.raises(RefusedError) as error:
        fetch(entry(ADDRESS), target)
    assert str(error.value).startswith(ADDRESS)
    assert "\n" not in str(error.value)
    assert not target.exists()
    return str(error.value)


def test_a_file_arrives(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdown, "download", download())
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["birds.tgz"]


def test_wrong_bytes_are_fetched_again_once(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def wrong(**options: Any) -> str:
        asked.append(options["url"])
        return download(b"another file")(**options)

    monkeypatch.setattr(gdown, "download", wrong)
    assert "gave a file that has sha256" in refused(target)
    assert len(asked) == 2
    assert names(target.parent) == []


def test_a_refusal_is_told_in_one_line(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = gdown.exceptions.FileURLRetrievalError(
        "Failed to retrieve file url:\n\n\tToo many users have viewed this file.\n\n"
        "You may still be able to access the file from the browser:\n\n\thttps://…"
    )
    monkeypatch.setattr(gdown, "download", download(b"", error))
    assert refused(target).endswith("Google Drive refuses (Too many users have viewed this file.)")


@pytest.mark.parametrize(
    "error", [gdown.exceptions.DownloadError("incomplete"), requests.ConnectionError("reset")]
)
def test_what_arrived_before_a_broken_connection_is_kept(
    target: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(gdown, "download", download(CONTENT[:1000], error))
    assert "Google Drive broke off" in refused(target)
    kept = target.with_name("birds.tgz.part.drive") / "birds.tgzabcdefgh.part"
    assert kept.read_bytes() == CONTENT[:1000]


def test_what_cannot_be_continued_is_thrown_away(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(**_: Any) -> str:
        raise gdown.exceptions.DownloadError("Server did not honor the requested byte range")

    monkeypatch.setattr(gdown, "download", stuck)
    assert "did not honor" in refused(target)
    assert names(target.parent) == []


def test_gdown_asks_with_the_resource_key(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gdown itself runs here, up to its first question."""
    asked = []

    def get(_: requests.Session, url: str, **_options: Any) -> requests.Response:
        asked.append(url)
        raise requests.exceptions.SSLError("far enough")

    monkeypatch.setattr(requests.Session, "get", get)
    assert "far enough" in refused(target)
    assert asked == ["https://drive.google.com/uc?id=0B0ywwgffWnLL&resourcekey=0-Av8zFbeDDvNc"]
