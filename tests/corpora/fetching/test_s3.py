from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from s2igan.corpora.fetching.fetch import fetch
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.partial import Partial, Remark
from s2igan.corpora.fetching.patience import ATTEMPTS

from .files import CONTENT, entry, names
from .network import no_network
from .server import FileServer, Served

ADDRESS = "s3://our-mirror/corpora/birds_2011.tgz"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket with the file in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    bucket = boto3.resource("s3").create_bucket(Bucket="our-mirror")
    bucket.put_object(Key="corpora/birds_2011.tgz", Body=CONTENT)
    return bucket


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store" / "birds.tgz"


@pytest.mark.parametrize("address", ["minio:9000", "http://my_minio:9000"])
def test_an_endpoint_that_is_no_address_is_told_at_once(
    target: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    words = told(target, ADDRESS)
    assert "no address (" in words
    assert address in words


def told(target: Path, address: str) -> str:
    with pytest.raises(RefusedError) as error:
        fetch(entry(address), target)
    assert "\n" not in str(error.value)
    assert names(target.parent) == []
    return str(error.value)


def begun(target: Path, tag: str, arrived: bytes) -> None:
    with Partial(target).append(Remark(ADDRESS, tag, len(CONTENT)), 0) as file:
        file.write(arrived)


@pytest.mark.usefixtures("bucket")
def test_a_file_arrives(target: Path) -> None:
    fetch(entry(ADDRESS, size=len(CONTENT)), target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["birds.tgz"]


def test_a_killed_run_is_continued(
    target: Path, bucket: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = bucket.Object("corpora/birds_2011.tgz").e_tag
    # Bytes of their own, which a fresh start would replace.
    begun(target, tag, bytes(2**20))
    fetch(entry(ADDRESS, content=bytes(2**20) + CONTENT[2**20 :]), target)
    assert "fetching it again" not in capsys.readouterr().err
    assert target.read_bytes()[2**20 :] == CONTENT[2**20 :]


@pytest.mark.usefixtures("bucket")
def test_a_changed_file_is_begun_anew(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun(target, '"another version"', bytes(2**20))
    fetch(entry(ADDRESS), target)
    assert "fetching it again" not in capsys.readouterr().err
    assert target.read_bytes() == CONTENT


@pytest.mark.usefixtures("bucket")
def test_a_shorter_file_is_begun_anew(target: Path) -> None:
    with Partial(target).append(Remark(ADDRESS, None, None), 0) as file:
        file.write(CONTENT + b"?")
    fetch(entry(ADDRESS), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://nobodys-bucket/birds.tgz", "there is no bucket 'nobodys-bucket'"),
        ("s3://our-mirror/no/birds.tgz", "bucket 'our-mirror' has no 'no/birds.tgz'"),
    ],
)
def test_a_missing_bucket_or_key_is_told(target: Path, address: str, words: str) -> None:
    assert told(target, address) == f"{address} {words}"


@pytest.mark.usefixtures("bucket")
def test_missing_credentials_are_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials; set AWS_ACCESS_KEY_ID" in told(target, ADDRESS)


def test_twenty_dropped_connections_end_in_the_right_bytes(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.root)
    served = Served(CONTENT, drops=[100_000 + number for number in range(20)])
    server.serve(served, name="our-mirror/birds.tgz")
    fetch(entry("s3://our-mirror/birds.tgz"), target)
    assert target.read_bytes() == CONTENT
    assert len(served.asked) == 21
    assert served.sent == len(CONTENT)


@pytest.mark.parametrize("status", [403, 503])
def test_a_server_that_refuses_is_told(
    target: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.root)
    served = Served(CONTENT, statuses=[status] * 99)
    server.serve(served, name="our-mirror/birds.tgz")
    words = told(target, "s3://our-mirror/birds.tgz")
    assert ("may not read" if status == 403 else "answers 503") in words
    assert len(served.asked) == (1 if status == 403 else ATTEMPTS)


def test_a_machine_without_network_says_so_at_once(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://example.invalid")
    with no_network() as looked_up:
        assert "cannot be reached" in told(target, ADDRESS)
    assert len(looked_up) == 1
