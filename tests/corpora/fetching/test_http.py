import gzip
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.partial import Partial, Remark
from s2igan.corpora.fetching.patience import ATTEMPTS

from .files import CONTENT, entry, names
from .network import no_network
from .server import PATIENCE_S, FileServer, Served

BYTES = len(CONTENT)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "birds.tgz"


def told(target: Path, address: str, *, size: int | None = None) -> str:
    """Return the one line about a file that cannot be fetched."""
    with pytest.raises(RefusedError) as error:
        fetch(entry(address, size=size), target)
    assert address in str(error.value)
    assert "\n" not in str(error.value)
    assert not target.exists()
    return str(error.value)


def test_a_file_arrives_in_one_answer(tmp_path: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    fetch(entry(server.serve(served), size=BYTES), tmp_path / "new" / "birds.tgz")
    assert (tmp_path / "new" / "birds.tgz").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["birds.tgz"]
    assert served.asked == [None]


@pytest.mark.parametrize("seed", range(3))
def test_twenty_dropped_connections_in_a_row_end_in_the_right_bytes(
    target: Path, server: FileServer, seed: int
) -> None:
    cuts = sorted(random.Random(seed).sample(range(1, BYTES), 20))
    pieces = [end - begin for begin, end in zip([0, *cuts], cuts, strict=False)]
    served = Served(CONTENT, drops=[*pieces])
    fetch(entry(server.serve(served)), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [None, *(f"bytes={cut}-" for cut in cuts)]
    assert served.sent == BYTES


def test_a_server_that_never_gets_further_is_given_up(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, drops=[1000, *[0] * 50])
    assert f"{ATTEMPTS} times in a row" in told(target, server.serve(served))
    assert len(served.asked) == ATTEMPTS


def test_beginning_anew_without_end_is_no_progress(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, ranges=False, drops=[1000] * 50)
    told(target, server.serve(served))
    assert len(served.asked) == ATTEMPTS


def test_a_server_without_ranges_begins_anew(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, ranges=False, drops=[5000, 4000, 6000, None])
    fetch(entry(server.serve(served)), target)
    assert target.read_bytes() == CONTENT
    assert served.sent == BYTES + 15000


FETCH = """
import sys
from pathlib import Path
from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.manifest import PublishedFile
fetch(PublishedFile.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


def wait_for(part: Path, size: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not (part.is_file() and part.stat().st_size >= size):
        assert time.monotonic() < deadline, f"{part} never had {size} bytes"
        time.sleep(0.01)


def test_a_killed_run_is_continued_by_the_next(
    target: Path, server: FileServer, repository: Path
) -> None:
    killed = threading.Event()
    date = {"Last-Modified": "Sun, 22 Nov 2026 19:00:00 GMT"}
    served = Served(CONTENT, headers=date, pause=(2 * 2**20, killed))
    file = entry(server.serve(served))
    part = target.with_name("birds.tgz.part")
    command = [sys.executable, "-c", FETCH, file.model_dump_json(), str(target)]
    with subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL) as process:
        wait_for(part, 2**20)
        process.kill()
    killed.set()
    arrived = part.stat().st_size
    assert names(target.parent) == ["birds.tgz.part", "birds.tgz.part.json"]
    fetch(file, target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [None, f"bytes={arrived}-"]
    assert names(target.parent) == ["birds.tgz"]


def test_what_another_address_sent_is_not_continued(target: Path, server: FileServer) -> None:
    broken = server.serve(Served(CONTENT, drops=[1000, *[0] * 10]), name="broken")
    served = Served(CONTENT)
    fetch(entry(broken, server.serve(served)), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [None]


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_file_that_changes_on_its_way_is_begun_anew(
    target: Path,
    server: FileServer,
    capsys: pytest.CaptureFixture[str],
    header: str,
    *,
    heeds_if_range: bool,
) -> None:
    """Both versions have the same length, so that only their tags tell them apart."""
    old = Served(bytes(BYTES), headers={header: '"one"'}, drops=[BYTES // 2])
    new = Served(CONTENT, headers={header: '"two"'}, heeds_if_range=heeds_if_range)
    fetch(entry(server.serve(old, new)), target)
    assert target.read_bytes() == CONTENT
    assert "fetching it again" not in capsys.readouterr().err
    assert new.sent == (BYTES if heeds_if_range else BYTES + BYTES - BYTES // 2)


def test_a_weak_tag_still_tells_versions_apart(target: Path, server: FileServer) -> None:
    old = Served(bytes(BYTES), headers={"ETag": 'W/"one"'}, drops=[BYTES // 2])
    new = Served(CONTENT, headers={"ETag": 'W/"two"'}, heeds_if_range=False)
    fetch(entry(server.serve(old, new)), target)
    assert target.read_bytes() == CONTENT
    assert new.asked == [f"bytes={BYTES // 2}-", None]


@pytest.mark.parametrize("extra", [100, -100])
def test_another_length_than_the_listed_is_told_at_once(
    target: Path, server: FileServer, extra: int
) -> None:
    served = Served(CONTENT, lie=extra)
    words = told(target, server.serve(served), size=BYTES)
    assert f"announces {BYTES + extra} bytes instead of {BYTES}" in words
    assert len(served.asked) == 1
    assert names(target.parent) == []


def test_more_bytes_announced_than_ever_come_are_given_up(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, lie=100)
    assert f"{ATTEMPTS} times in a row" in told(target, server.serve(served))
    assert served.sent == BYTES


def test_fewer_bytes_announced_than_there_are_fail_the_check(
    target: Path, server: FileServer
) -> None:
    served = Served(CONTENT, lie=-100)
    assert "gave a file that has sha256" in told(target, server.serve(served))
    assert len(served.asked) == 2


def test_a_length_that_nobody_announces_is_the_listed_one(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, tells_length=False, drops=[1000])
    fetch(entry(server.serve(served), size=BYTES), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [None, "bytes=1000-"]


def test_a_server_that_sends_without_end_is_stopped(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, tells_length=False)
    assert "sends more than 5000 bytes" in told(target, server.serve(served), size=5000)
    assert names(target.parent) == []


def test_wrong_bytes_are_told_and_fetched_again_once(
    target: Path, server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    served = Served(CONTENT, wrong_answers=1)
    fetch(entry(server.serve(served)), target)
    assert target.read_bytes() == CONTENT
    lines = [line for line in capsys.readouterr().err.splitlines() if "fetching it again" in line]
    assert len(lines) == 1
    assert "gave a file that has sha256" in lines[0]


def test_wrong_bytes_twice_are_given_up(target: Path, server: FileServer) -> None:
    served = Served(CONTENT, wrong_answers=9)
    assert "twice" in told(target, server.serve(served))
    assert len(served.asked) == 2
    assert names(target.parent) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_told_at_once(
    target: Path, server: FileServer, status: int
) -> None:
    served = Served(CONTENT, statuses=[status] * 9)
    assert f"answers {status}" in told(target, server.serve(served))
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("status", "header", "value", "words"),
    [
        (302, "Location", "http://[::1", "leads to what is no address (Invalid IPv6 URL)"),
        (
            302,
            "Location",
            "http://\xff/",
            "leads to what is no address ('utf-8' codec can't decode",
        ),
        (416, "Content-Range", "bytes */0", "answers 416 "),
    ],
)
def test_an_answer_that_leads_nowhere_is_told_at_once(
    target: Path, server: FileServer, status: int, header: str, value: str, words: str
) -> None:
    served = Served(CONTENT, bare=(status, {header: value}))
    file = entry(server.serve(served)).model_copy(update={"checksum": None})
    with pytest.raises(RefusedError) as error:
        fetch(file, target)
    assert words in str(error.value)
    assert len(served.asked) == 1
    assert names(target.parent) == []


def test_a_range_in_numbers_without_end_is_told_in_short(target: Path, server: FileServer) -> None:
    headers = {"Content-Range": f"bytes 0-5/{'9' * 5000}"}
    words = told(target, server.serve(Served(CONTENT, bare=(206, headers))))
    assert "answers 206 with Content-Range 'bytes 0-5/999" in words
    assert len(words) < 300


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000])
def test_a_length_that_is_none_counts_as_untold(
    target: Path, server: FileServer, length: str
) -> None:
    headers = {"Content-Length": length}
    served = Served(CONTENT, headers=headers, tells_length=False)
    fetch(entry(server.serve(served)), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(target: Path, server: FileServer, status: int) -> None:
    fetch(entry(server.serve(Served(CONTENT, statuses=[status] * (ATTEMPTS - 1)))), target)
    assert target.read_bytes() == CONTENT
    served = Served(CONTENT, statuses=[status] * ATTEMPTS)
    words = told(target.with_name("other"), server.serve(served))
    assert f"answers {status}" in words
    assert len(served.asked) == ATTEMPTS


def test_a_web_page_is_no_file(target: Path, server: FileServer) -> None:
    page = Served(b"<html>please log in</html>", headers={"Content-Type": "text/html; charset=x"})
    assert "a web page instead of the file" in told(target, server.serve(page))
    assert len(page.asked) == 1


def test_bytes_arrive_as_they_are_stored(target: Path, server: FileServer) -> None:
    """Some servers call what a .tgz file consists of its encoding."""
    packed = gzip.compress(CONTENT[:1000])
    address = server.serve(Served(packed, headers={"Content-Encoding": "gzip"}))
    fetch(entry(address, content=packed), target)
    assert target.read_bytes() == packed


def begun(target: Path, address: str, arrived: bytes, total: int | None = None) -> None:
    """Leave behind what a server has sent so far."""
    with Partial(target).append(Remark(address, '"one"', total), 0) as file:
        file.write(arrived)


def test_a_file_whose_end_was_not_known_is_found_complete(target: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    address = server.serve(served)
    begun(target, address, CONTENT)
    fetch(entry(address), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [f"bytes={BYTES}-"]
    assert served.sent == 0


def test_more_than_the_file_has_is_thrown_away(target: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    address = server.serve(served)
    begun(target, address, CONTENT + b"?")
    fetch(entry(address), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == [f"bytes={BYTES + 1}-", None]


def test_bytes_of_unknown_origin_are_not_continued(target: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    target.with_name("birds.tgz.part").write_bytes(CONTENT[:1000])
    fetch(entry(server.serve(served)), target)
    assert served.asked == [None]


@pytest.mark.parametrize(
    "name", ["birds.tgz.part", "birds.tgz.part.json", ".birds.tgz.part.json.partial"]
)
def test_what_a_link_leads_to_is_not_written_to(
    target: Path, server: FileServer, name: str
) -> None:
    served = Served(CONTENT)
    address = server.serve(served)
    begun(target, address, CONTENT[:1000])
    thesis, link = target.with_name("thesis"), target.with_name(name)
    before = link.read_bytes() if link.exists() else b"years of work"
    thesis.write_bytes(before)
    link.unlink(missing_ok=True)
    link.symlink_to(thesis)
    fetch(entry(address), target)
    assert thesis.read_bytes() == before
    assert target.read_bytes() == CONTENT
    assert not target.is_symlink()
    assert names(target.parent) == ["birds.tgz", "thesis"]


def test_a_link_that_appears_while_a_file_is_continued_is_not_written_to(target: Path) -> None:
    partial, thesis = Partial(target), target.with_name("thesis")
    thesis.write_bytes(b"years of work")
    partial.path.symlink_to(thesis)
    with pytest.raises(OSError, match=r"birds\.tgz\.part"):
        partial.append(Remark("http://example.invalid/birds.tgz", None, None), 1000)
    assert thesis.read_bytes() == b"years of work"


def test_a_link_in_the_place_of_the_lock_is_not_written_to(target: Path) -> None:
    thesis = target.with_name("thesis")
    thesis.write_bytes(b"years of work")
    target.with_name(".birds.tgz.lock").symlink_to(thesis)
    with pytest.raises(OSError, match=r"birds\.tgz\.lock"):
        fetch(entry("http://example.invalid/birds.tgz"), target)
    assert thesis.read_bytes() == b"years of work"


def test_a_complete_part_is_not_asked_for(target: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    address = server.serve(served)
    begun(target, address, CONTENT, BYTES)
    fetch(entry(address), target)
    assert target.read_bytes() == CONTENT
    assert served.asked == []


def test_proxies_are_not_asked_for_this_machine(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fetch(entry(server.serve(Served(CONTENT))), target)
    assert target.read_bytes() == CONTENT
    assert "the proxy does not let through" in told(
        target.with_name("other"), "http://example.invalid/birds.tgz"
    )


def test_a_server_that_is_not_running_is_given_up(target: Path) -> None:
    with socket.socket() as taken:  # by nobody who listens, so that nobody else gets it
        taken.bind(("127.0.0.1", 0))
        words = told(target, f"http://127.0.0.1:{taken.getsockname()[1]}/birds.tgz")
    assert "Connection refused" in words
    assert f"{ATTEMPTS} times in a row" in words


def test_a_machine_without_network_says_so_at_once(target: Path) -> None:
    with no_network() as looked_up:
        assert "cannot be reached" in told(target, "http://example.invalid/birds.tgz")
    assert len(looked_up) == 1


@pytest.mark.parametrize("host", ["127.0.0.1:1", "drive.google.com"])
def test_certificates_that_nobody_has_are_named_at_once(
    target: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nope.pem")
    words = told(target, f"https://{host}/uc?id=0B0ywwgffWnLL")
    assert "cannot be trusted (" in words
    assert "/nope.pem" in words


def test_a_redirect_gives_up_no_encryption(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = requests.get(server.serve(Served(CONTENT)), timeout=5, stream=True)
    monkeypatch.setattr(requests, "get", lambda *_, **__: plain)
    assert "without encryption" in told(target, "https://example.org/birds.tgz")
