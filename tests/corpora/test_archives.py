import hashlib
import io
import re
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

from s2igan.corpora.archives import SPARE_BYTES, locate, read_members, require_space
from s2igan.corpora.manifest import PublishedFile
from s2igan.errors import UserError

from .makers import published, write_tar

ANY = re.compile("")


def file_of(name: str, **facts: object) -> PublishedFile:
    return PublishedFile.model_validate(published(name, **facts))


def checksum(algorithm: str, data: bytes) -> dict[str, str]:
    return {"algorithm": algorithm, "value": hashlib.new(algorithm, data).hexdigest()}


def test_the_folder_of_the_corpus_goes_before_the_common_one(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    for name in ("one", "birds/one", "two"):
        (tmp_path / name).write_bytes(b"x")
    found = locate([file_of("one"), file_of("two")], "birds", tmp_path)
    assert found == {"one": tmp_path / "birds" / "one", "two": tmp_path / "two"}


def test_all_missing_files_are_told_with_their_addresses(tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"x")
    files = [
        file_of("here"),
        file_of("one", mirrors=["https://mirror.example.org/one"]),
        file_of("two", address=None, note="made of one by halving it"),
    ]
    with pytest.raises(UserError) as error:
        locate(files, "birds", tmp_path)
    assert (
        "one (https://example.org/one, https://mirror.example.org/one); "
        "two (made of one by halving it)"
    ) in str(error.value)
    assert repr(str(tmp_path / "birds")) in str(error.value)
    assert "here" not in str(error.value)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        locate([file_of("one")], "birds", tmp_path / "nowhere")


def test_no_folder_of_archives_is_told_only_where_one_is_needed() -> None:
    assert locate([], "birds", None) == {}
    with pytest.raises(UserError, match=r"example\.org/one.*S2IGAN_ARCHIVES"):
        locate([file_of("one")], "birds", None)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_whole_file_passes(tmp_path: Path, algorithm: str) -> None:
    (tmp_path / "one").write_bytes(b"flowers")
    file = file_of("one", bytes=7, checksum=checksum(algorithm, b"flowers"))
    assert locate([file], "birds", tmp_path) == {"one": tmp_path / "one"}


def test_wrong_sizes_and_checksums_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"flower")
    (tmp_path / "changed").write_bytes(b"flowerz")
    files = [
        file_of("short", bytes=7),
        file_of("changed", bytes=7, checksum=checksum("sha256", b"flowers")),
    ]
    with pytest.raises(UserError) as error:
        locate(files, "birds", tmp_path)
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


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("../outside", tarfile.REGTYPE, "leaves the folder"),
        ("a/../../outside", tarfile.REGTYPE, "leaves the folder"),
        ("/etc/passwd", tarfile.REGTYPE, "leaves the folder"),
        ("link", tarfile.SYMTYPE, "a link"),
        ("link", tarfile.LNKTYPE, "a link"),
        ("device", tarfile.CHRTYPE, "a device"),
        ("pipe", tarfile.FIFOTYPE, "a device"),
    ],
)
def test_unsafe_members_are_refused(tmp_path: Path, name: str, kind: bytes, told: str) -> None:
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.linkname = "elsewhere"
        archive.addfile(member, io.BytesIO())
    with pytest.raises(UserError, match=told):
        list(read_members(path, ANY))


class Usage(NamedTuple):
    total: int
    used: int
    free: int


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
