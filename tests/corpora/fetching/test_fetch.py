import shutil
import threading
import time
from pathlib import Path

import pytest

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.space import SPARE_BYTES
from s2igan.errors import UserError

from .files import CONTENT, Usage, entry, names
from .server import PATIENCE_S, FileServer, Served

BYTES = len(CONTENT)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "birds.tgz"


def test_mirrors_are_asked_in_order(target: Path, server: FileServer) -> None:
    missing = server.serve(Served(b"", statuses=[404]), name="missing")
    wrong = Served(bytes(BYTES))
    right, spare = Served(CONTENT), Served(CONTENT)
    mirrors = [
        server.serve(served, name=str(number)) for number, served in enumerate([right, spare])
    ]
    fetch(entry(missing, server.serve(wrong, name="wrong"), *mirrors), target)
    assert target.read_bytes() == CONTENT
    assert [len(served.asked) for served in (wrong, right, spare)] == [2, 1, 0]


def test_what_every_address_said_is_told(target: Path, server: FileServer) -> None:
    missing = server.serve(Served(b"", statuses=[404]), name="missing")
    wrong = server.serve(Served(bytes(BYTES)), name="wrong")
    with pytest.raises(RefusedError) as error:
        fetch(entry(missing, wrong), target)
    assert str(error.value).startswith(f"{missing} answers 404 Not Found; {wrong} gave a file that")
    assert names(target.parent) == []


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_address_that_broke_off_is_continued_by_the_next_run(
    target: Path, server: FileServer, *, mirrored: bool
) -> None:
    """The other address gives nothing at first, and the whole file by the time of the next run."""
    broken, other = Served(CONTENT, drops=[1000, *[0] * 4]), Served(CONTENT, statuses=[404])
    served = [other, broken] if mirrored else [broken, other]
    file = entry(*(server.serve(one, name=str(number)) for number, one in enumerate(served)))
    with pytest.raises(RefusedError):
        fetch(file, target)
    fetch(file, target)
    assert target.read_bytes() == CONTENT
    assert broken.asked[-1] == "bytes=1000-"
    assert (broken.sent, other.sent) == (BYTES, 0)
    assert names(target.parent) == ["birds.tgz"]


@pytest.mark.parametrize("status", [404, 416, 503])
def test_a_mirror_that_sends_nothing_costs_nothing(
    target: Path, server: FileServer, status: int
) -> None:
    broken = Served(CONTENT, drops=[1000, *[0] * 4])
    mirror = Served(b"", statuses=[status] * 5)
    file = entry(server.serve(broken, name="broken"), server.serve(mirror, name="mirror"))
    with pytest.raises(RefusedError):
        fetch(file, target)
    assert target.with_name("birds.tgz.part").read_bytes() == CONTENT[:1000]
    assert set(mirror.asked) == {None}


def test_what_lies_there_already_is_left_alone(target: Path, server: FileServer) -> None:
    served = Served(CONTENT)
    target.write_bytes(b"somebody's own")
    fetch(entry(server.serve(served)), target)
    assert target.read_bytes() == b"somebody's own"
    assert served.asked == []


def test_of_two_runs_one_fetches_and_the_other_waits(
    target: Path, server: FileServer, capfd: pytest.CaptureFixture[str]
) -> None:
    go_on = threading.Event()
    served = Served(CONTENT, pause=(1000, go_on))
    file = entry(server.serve(served))
    runs = [threading.Thread(target=fetch, args=(file, target)) for _ in range(2)]
    for run in runs:
        run.start()
    told = ""
    deadline = time.monotonic() + PATIENCE_S
    while "waiting for another run" not in told and time.monotonic() < deadline:
        told += capfd.readouterr().err
        time.sleep(0.01)
    go_on.set()
    for run in runs:
        run.join()
    assert "birds.tgz: waiting for another run that fetches it" in told
    assert len(served.asked) == 1
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["birds.tgz"]


def test_a_full_disk_is_told_before_the_first_byte(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, SPARE_BYTES + BYTES - 1))
    file = entry(server.serve(Served(CONTENT)))
    with pytest.raises(UserError, match="free some space"):
        fetch(file, target)
    assert names(target.parent) == []


@pytest.mark.parametrize("name", ["birds.tgz", "mirror"])
def test_only_the_rest_of_a_file_needs_space(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A mirror begins with the first byte, and what has arrived makes room for it."""
    file = entry(server.serve(Served(CONTENT, drops=[1000, *[0] * 9])))
    with pytest.raises(RefusedError):
        fetch(file, target)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, SPARE_BYTES + BYTES - 1000))
    fetch(entry(server.serve(Served(CONTENT), name=name)), target)
    assert target.read_bytes() == CONTENT


def test_a_bar_runs_in_mebibytes(
    target: Path, server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(entry(server.serve(Served(CONTENT, drops=[2**20]))), target)
    lines = [line for line in capsys.readouterr().err.splitlines() if " %, " in line]
    assert lines[-1].startswith("birds.tgz, MiB: 100 %, 4 of 4, ")
    assert lines[0].startswith("birds.tgz, MiB:  25 %, 1 of 4, ")
