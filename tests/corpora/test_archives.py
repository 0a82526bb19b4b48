import hashlib
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from s2igan.corpora.archives import Archives, locate, read_members
from s2igan.corpora.fetching import patience
from s2igan.corpora.fetching.space import SPARE_BYTES, require_space
from s2igan.corpora.manifest import PublishedFile
from s2igan.errors import UserError

from .fetching.server import FileServer, Served
from .makers import published, write_tar

ANY = re.compile("")


def file_of(name: str, **facts: object) -> PublishedFile:
    return PublishedFile.model_validate(published(name, **facts))


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    return {"algorithm": algorithm, "value": hashlib.new(algorithm, data).hexdigest()}


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(patience, "FIRST_DELAY_S", 0.001)
    with FileServer() as running:
        yield running


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    """One folder to look through, which is there, and a store, which is not."""
    (tmp_path / "shelf").mkdir()
    return Archives((tmp_path / "shelf",), tmp_path / "store")


def test_folders_are_looked_through_in_order_each_by_kind_first(tmp_path: Path) -> None:
    archives = Archives((tmp_path / "a", tmp_path / "nowhere", tmp_path / "b"), tmp_path / "c")
    places = [tmp_path / place for place in ("a/birds", "a", "b/birds", "b", "c/birds", "c")]
    assert archives.find("birds", "one") is None
    for place in reversed(places):
        place.mkdir(parents=True, exist_ok=True)
        (place / "one").write_bytes(b"x")
        assert archives.find("birds", "one") == place / "one"


def test_a_prepared_folder_is_found_like_a_file(tmp_path: Path, archives: Archives) -> None:
    (tmp_path / "shelf" / "recorded" / "river_birds").mkdir(parents=True)
    assert archives.find("recorded", "river_birds") == tmp_path / "shelf/recorded/river_birds"


def test_nothing_is_asked_for_what_lies_there(tmp_path: Path, archives: Archives) -> None:
    (tmp_path / "shelf" / "one").write_bytes(b"x")
    assert locate([file_of("one")], "birds", archives) == {"one": tmp_path / "shelf" / "one"}
    assert locate([], "birds", archives) == {}
    assert not archives.store.exists()


def test_what_is_missing_is_fetched_into_the_store(
    tmp_path: Path, archives: Archives, server: FileServer
) -> None:
    (tmp_path / "shelf" / "one").write_bytes(b"x")
    served = Served(b"flowers")
    facts = {"address": server.serve(served), "checksum": checksum("md5", b"flowers")}
    files = [file_of("two", **facts), file_of("one")]
    for _ in range(2):
        found = locate(files, "birds", archives)
        assert [*found.items()] == [
            ("two", archives.store / "birds" / "two"),
            ("one", tmp_path / "shelf" / "one"),
        ]
    assert found["two"].read_bytes() == b"flowers"
    assert len(served.asked) == 1


def test_all_missing_files_are_told_where_one_is_published_nowhere(
    tmp_path: Path, archives: Archives, server: FileServer
) -> None:
    (tmp_path / "shelf" / "here").write_bytes(b"x")
    served = Served(b"flowers")
    address = server.serve(served)
    files = [
        file_of("here"),
        file_of("one", address=address, mirrors=["s3://mirror/one"], checksum=checksum("md5", b"")),
        file_of("two", address=None, note="made of one by halving it"),
    ]
    with pytest.raises(UserError) as error:
        locate(files, "birds", archives)
    assert f"one ({address}, s3://mirror/one); two (made of one by halving it)" in str(error.value)
    assert repr(str(archives.store / "birds")) in str(error.value)
    assert "here" not in str(error.value)
    assert served.asked == []


def test_a_refusal_costs_nothing_but_its_own_file(archives: Archives, server: FileServer) -> None:
    gone = server.serve(Served(b"", statuses=[404]), name="gone")
    served = Served(b"flowers")
    facts = checksum("md5", b"flowers")
    files = [
        file_of("one", address=gone, checksum=facts),
        file_of("two", address=server.serve(served), checksum=facts),
    ]
    with pytest.raises(UserError) as error:
        locate(files, "birds", archives)
    assert f"got one: {gone} answers 404 Not Found; try again" in str(error.value)
    assert f"put it into {str(archives.store / 'birds')!r}" in str(error.value)
    assert (archives.store / "birds" / "two").read_bytes() == b"flowers"


def test_room_for_all_files_is_asked_for_before_the_first(
    archives: Archives, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(b"flowers")
    facts = {"address": server.serve(served), "checksum": checksum("md5", b"flowers"), "bytes": 7}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, SPARE_BYTES + 13))
    with pytest.raises(UserError, match="free some space"):
        locate([file_of("one", **facts), file_of("two", **facts)], "birds", archives)
    assert served.asked == []


def test_a_wrong_file_of_somebody_is_told_and_left_alone(
    tmp_path: Path, archives: Archives, server: FileServer
) -> None:
    served = Served(b"flowers")
    own = tmp_path / "shelf" / "one"
    own.write_bytes(b"weeds")
    facts = {"address": server.serve(served), "checksum": checksum("md5", b"flowers")}
    with pytest.raises(UserError, match="nothing is overwritten: remove each"):
        locate([file_of("one", **facts)], "birds", archives)
    assert own.read_bytes() == b"weeds"
    assert served.asked == []


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path, archives: Archives) -> None:
    (tmp_path / "shelf" / "one").mkdir()
    with pytest.raises(UserError, match=r"one' is no file"):
        locate([file_of("one")], "birds", archives)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_whole_file_passes(tmp_path: Path, archives: Archives, algorithm: str) -> None:
    (tmp_path / "shelf" / "one").write_bytes(b"flowers")
    file = file_of("one", bytes=7, checksum=checksum(algorithm, b"flowers"))
    assert locate([file], "birds", archives) == {"one": tmp_path / "shelf" / "one"}


def test_the_first_digits_of_a_checksum_are_compared(tmp_path: Path, archives: Archives) -> None:
    (tmp_path / "shelf" / "one").write_bytes(b"flowers")
    first = checksum("sha256", b"flowers")["value"][:8]
    for value, fits in ((first, True), (first[::-1], False)):
        file = file_of("one", checksum={"algorithm": "sha256_prefix", "value": value})
        if fits:
            assert locate([file], "birds", archives) == {"one": tmp_path / "shelf" / "one"}
        else:
            with pytest.raises(UserError, match=f"has sha256_prefix {first} instead of {value}"):
                locate([file], "birds", archives)


def test_wrong_sizes_and_checksums_are_told_at_once(tmp_path: Path, archives: Archives) -> None:
    (tmp_path / "shelf" / "short").write_bytes(b"flower")
    (tmp_path / "shelf" / "changed").write_bytes(b"flowerz")
    files = [
        file_of("short", bytes=7),
        file_of("changed", bytes=7, checksum=checksum("sha256", b"flowers")),
    ]
    with pytest.raises(UserError) as error:
        locate(files, "birds", archives)
    assert "has 6 bytes instead of 7" in str(error.value)
    assert f"has sha256 {checksum('sha256', b'flowerz')['value']}" in str(error.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_come_in_order_and_unwanted_ones_are_passed_over(tmp_path: Path, mode: str) -> None:
    members = [("jpg/b.jpg", b"second"), ("notes", b"no"), ("jpg/a.jpg", b"first")]
    path = write_tar(tmp_path / "archive", members, mode)
    read = [(match[1], data) for match, data in read_members(path, re.compile(r"jpg/(\w)\.jpg$"))]
    assert read == [("b", b"second"), ("a", b"first")]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_in_its_members_is_told(tmp_path: Path, mode: str) -> None:
    members = [(f"{number}.jpg", bytes(range(256)) * 40) for number in range(3)]
    path = write_tar(tmp_path / "archive", members, mode)
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.7) if mode == "w" else (0.2, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match="expected a whole tar archive"):
            list(read_members(path, ANY))


def test_a_damaged_gzip_archive_is_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "archive", [("a", b"flowers")], "w:gz")
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 1  # a bit of the checksum that closes the file
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="expected a whole tar archive"):
        list(read_members(path, ANY))


def test_a_file_that_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<html>quota exceeded</html>" * 100)
    with pytest.raises(UserError, match=r"page\.html.*expected a whole tar archive"):
        list(read_members(tmp_path / "page.html", ANY))


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("one")
            member.type, member.linkname = kind, "elsewhere"
            archive.addfile(member)
    assert list(read_members(path, ANY)) == []


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(0, 0, SPARE_BYTES + 1000)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    require_space(tmp_path / "not" / "yet" / "there", 1000)
    assert asked == [tmp_path]
    with pytest.raises(UserError, match="free some space"):
        require_space(tmp_path, 1001)
