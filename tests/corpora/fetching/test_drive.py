import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import requests

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.patience import ATTEMPTS
from s2igan.corpora.fetching.space import SPARE_BYTES
from s2igan.errors import UserError

from .files import CONTENT, Usage, entry, names
from .network import no_network
from .server import FileServer, Served

ADDRESS = "https://drive.google.com/open?id=0B0ywwgffWnLL&resourcekey=0-Av8zFbeDDvNc"
BYTES = len(CONTENT)
PART = f"bytes={2**19}-"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "birds.tgz"


@pytest.fixture
def drive(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Google Drive as gdown meets it, which asks for the file anew before it asks for the rest."""
    headers = {
        "ETag": '"one"',
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="flowers.tgz"',
    }
    served = Served(CONTENT, headers=headers)
    send_questions_to(server.serve(served, name="drive"), monkeypatch)
    return served


def send_questions_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    get = requests.Session.get

    def ask(session: requests.Session, _: str, **options: Any) -> requests.Response:
        return get(session, address, **options)

    monkeypatch.setattr(requests.Session, "get", ask)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def refused(target: Path) -> str:
    with pytest.raises(RefusedError) as error:
        fetch(entry(ADDRESS), target)
    assert str(error.value).startswith(ADDRESS)
    assert "\n" not in str(error.value)
    assert not target.exists()
    return str(error.value)


def kept(target: Path) -> bytes:
    (part,) = target.with_name("birds.tgz.part.drive").iterdir()
    return part.read_bytes()


@pytest.mark.usefixtures("drive")
def test_a_file_arrives_for_all_whom_the_umask_lets_read(target: Path) -> None:
    before = os.umask(0o027)
    try:
        fetch(entry(ADDRESS), target)
    finally:
        os.umask(before)
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o640
    assert names(target.parent) == ["birds.tgz"]


def test_wrong_bytes_are_fetched_again_once(target: Path, drive: Served) -> None:
    drive.wrong_answers = 9
    assert "gave a file that has sha256" in refused(target)
    assert drive.asked == [None, None]
    assert names(target.parent) == []


def test_a_refusal_is_told_in_one_line(target: Path, drive: Served) -> None:
    drive.content = b'<p class="uc-error-subcaption">Too many users have viewed this file.</p>'
    drive.headers = {"Content-Type": "text/html"}
    assert refused(target).endswith("Google Drive refuses (Too many users have viewed this file.)")
    assert drive.asked == [None]


def test_a_broken_connection_is_told_and_continued(
    target: Path, drive: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    drive.drops = [2**19]
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert drive.asked == [None, None, PART]
    told = f"birds.tgz: Google Drive broke off (Download is incomplete: received {2**19} bytes"
    assert told in capsys.readouterr().err
    assert names(target.parent) == ["birds.tgz"]


def test_what_arrived_before_it_is_given_up_is_continued_by_the_next_run(
    target: Path, drive: Served
) -> None:
    """A run without a network in between asks once, and takes nothing away."""
    drive.drops = [2**19, *[None, 0] * (ATTEMPTS - 1)]
    assert f"{ATTEMPTS} times in a row" in refused(target)
    assert kept(target) == CONTENT[: 2**19]
    with no_network() as looked_up:
        assert "cannot be reached" in refused(target)
    assert len(looked_up) == 1
    assert kept(target) == CONTENT[: 2**19]
    drive.asked.clear()
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert drive.asked == [None, PART]


def test_a_server_without_ranges_begins_anew(target: Path, drive: Served) -> None:
    drive.ranges = False
    drive.drops = [2**19]
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert drive.asked == [None, None, PART, None, PART, None, PART, None]


def test_a_server_that_is_busy_for_a_while_costs_nothing_that_has_arrived(
    target: Path, drive: Served
) -> None:
    drive.drops = [2**19]
    drive.statuses = [None, None, 503, None, 429]
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert drive.asked == [None, *[None, PART] * 3]


def test_what_google_drive_has_begun_it_goes_on_with_before_other_addresses(
    target: Path, drive: Served, server: FileServer
) -> None:
    other = Served(CONTENT, statuses=[404])
    addresses = server.serve(other, name="other"), ADDRESS
    drive.drops = [2**19, *[None, 0] * (ATTEMPTS - 1)]
    with pytest.raises(RefusedError):
        fetch(entry(*addresses), target)
    drive.asked.clear()
    fetch(entry(*addresses), target)
    assert target.read_bytes() == CONTENT
    assert (drive.asked, other.asked) == ([None, PART], [None])


@pytest.mark.usefixtures("drive")
def test_copies_of_which_none_is_known_as_the_right_one_are_thrown_away(target: Path) -> None:
    folder = target.with_name("birds.tgz.part.drive")
    folder.mkdir()
    for number in range(2):
        (folder / f"birds.tgz1234567{number}.part").write_bytes(b"what is left of a file")
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["birds.tgz"]


@pytest.mark.usefixtures("drive")
@pytest.mark.parametrize("whole_folder", [True, False])
def test_gdown_meets_no_link(target: Path, *, whole_folder: bool) -> None:
    folder, home = target.with_name("birds.tgz.part.drive"), target.with_name("home")
    home.mkdir()
    names_there = ["birds.tgz12345678.part", "notes"]
    for name in names_there:
        (home / name).write_bytes(b"somebody's own")
    (home / "link").symlink_to("notes")
    if whole_folder:
        folder.symlink_to(home)
    else:
        folder.mkdir()
        (folder / names_there[0]).symlink_to(home / names_there[0])
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["birds.tgz", "home"]
    assert names(home) == [names_there[0], "link", "notes"]
    assert {path.read_bytes() for path in home.iterdir()} == {b"somebody's own"}


def test_what_arrived_goes_once_a_mirror_gives_the_file(
    target: Path, drive: Served, server: FileServer
) -> None:
    drive.drops = [2**19, *[None, 0] * (ATTEMPTS - 1)]
    fetch(entry(ADDRESS, server.serve(Served(CONTENT))), target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["birds.tgz"]


@pytest.mark.parametrize("size", [BYTES, None])
def test_a_full_disk_is_told_before_the_file_is_there(
    target: Path, drive: Served, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    """Where the manifest does not state the size, the server's first answer does."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, SPARE_BYTES + 2**20))
    with pytest.raises(UserError, match="free some space"):
        fetch(entry(ADDRESS, size=size), target)
    assert drive.asked == ([] if size else [None])
    assert not target.exists()


def test_gdown_asks_with_the_resource_key(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def get(_: requests.Session, url: str, **_options: Any) -> requests.Response:
        asked.append(url)
        raise requests.exceptions.SSLError("far enough")

    monkeypatch.setattr(requests.Session, "get", get)
    assert "far enough" in refused(target)
    assert asked == ["https://drive.google.com/uc?id=0B0ywwgffWnLL&resourcekey=0-Av8zFbeDDvNc"]
