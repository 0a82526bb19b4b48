"""Push and pull against a server that refuses, lacks the bucket, or breaks off."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem  # type: ignore[import-untyped]

from s2igan.cli import main
from s2igan.errors import EXIT_USER_ERROR

from .buckets import Server, line_of, running_server

MIB = 2**20
PIPELINE = f"""\
stages:
  draw:
    cmd: head -c {2 * MIB} /dev/urandom > big
    deps: [wish]
    outs: [big]
  write:
    cmd: mkdir folder && echo one > folder/1 && echo two > folder/2
    deps: [wish]
    outs: [folder]
"""  # without a dependency, DVC keeps no record of a run


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in server.keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc"))


def run(*command: str, folder: Path) -> None:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc")}
    environment = {**os.environ, **own, "DVC_NO_ANALYTICS": "true"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose stage has run."""
    folder = tmp_path_factory.mktemp("team") / "one"
    folder.mkdir()
    run("git", "init", "-qb", "main", folder=folder)
    dvc = (sys.executable, "-m", "dvc")
    run(*dvc, "init", "-q", folder=folder)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "wish").write_text("two MiB")
    run(*dvc, "repro", "-q", folder=folder)
    run("git", "add", "-A", folder=folder)
    somebody = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    run("git", *somebody, "commit", "-qm", "Outputs", folder=folder)
    return folder


@pytest.fixture
def one(computed: Path, tmp_path: Path) -> Path:
    """A copy of it, with a bucket's name of its own."""
    return _copy(computed, tmp_path / "one", f"s3://{_bucket(tmp_path)}/s2igan")


def _bucket(folder: Path) -> str:
    return "b-" + folder.name.replace("_", "-")[-50:].strip("-")


@pytest.fixture
def bucket(server: Server, tmp_path: Path) -> str:
    server.create_bucket(_bucket(tmp_path))
    return _bucket(tmp_path)


def _copy(source: Path, target: Path, address: str) -> Path:
    run("cp", "-a", str(source), str(target), folder=source)
    (target / ".dvc" / "config").write_text(
        f"[core]\n    remote = team\n['remote \"team\"']\n    url = {address}\n"
    )
    return target


@pytest.fixture
def two(one: Path, tmp_path: Path) -> Path:
    """A clone of ``one`` with nothing but what is in Git."""
    folder = tmp_path / "two"
    folder.mkdir()
    for name in (".dvc/config", "dvc.yaml", "dvc.lock", "wish"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((one / name).read_bytes())
    run("git", "init", "-qb", "main", folder=folder)
    return folder


def tell(
    command: str, folder: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Return exit code and what was said of ``s2igan push`` or ``s2igan pull`` in a folder."""
    S3FileSystem.clear_instance_cache()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DVC_ROOT")
        patch.chdir(folder)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        code = main([command])
    said = capsys.readouterr()
    assert not (said.out and said.err)
    return code, said.out + said.err


def refusal(command: str, folder: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> str:
    code, said = tell(command, folder, endpoint, capsys)
    assert code == EXIT_USER_ERROR
    assert said.count("\n") == 1
    return said


def test_another_has_everything_to_the_byte(
    one: Path, two: Path, bucket: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed = f"files and the records of 2 runs to s3://{bucket}/s2igan\n"
    assert tell("push", one, server.endpoint, capsys) == (0, f"pushed 4 {pushed}")
    assert server.count(bucket) == 6
    pulled = pushed.replace(" to ", " from ")
    assert tell("pull", two, server.endpoint, capsys) == (0, f"pulled 4 {pulled}")
    assert (two / "big").read_bytes() == (one / "big").read_bytes()
    assert any((two / ".dvc" / "cache" / "runs").iterdir())
    assert tell("push", one, server.endpoint, capsys) == (0, f"pushed 0 {pushed}")
    assert tell("pull", two, server.endpoint, capsys) == (0, f"pulled 0 {pulled}")
    with (one / "dvc.lock").open("a") as lock:
        lock.write("# of a later run\n")
    assert "commit dvc.lock" in tell("push", one, server.endpoint, capsys)[1]


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_missing_bucket_is_named(
    command: str, one: Path, server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = refusal(command, one, server.endpoint, capsys)
    assert f"there is no bucket '{_bucket(tmp_path)}'" in said
    assert "make remote URL=" in said


@pytest.mark.parametrize("address", ["s3://Our_Bucket!/s2igan", "s3:///s2igan"])
def test_what_is_no_name_of_a_bucket_is_told(
    computed: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    address: str,
) -> None:
    misnamed = _copy(computed, tmp_path / "misnamed", address)
    said = refusal("push", misnamed, server.endpoint, capsys)
    assert "nvalid bucket name" in said
    assert said.endswith("name another with `make remote URL=s3://bucket/folder`\n")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("command", ["push", "pull"])
def test_refused_credentials_are_told(
    command: str, one: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.refusing():
        said = refusal(command, one, server.endpoint, capsys)
    assert "credentials that are not accepted (InvalidAccessKeyId)" in said
    assert "check AWS_ACCESS_KEY_ID" in said


@pytest.mark.usefixtures("bucket")
def test_missing_credentials_are_told(
    one: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials; set AWS_ACCESS_KEY_ID" in refusal("push", one, server.endpoint, capsys)


def test_a_profile_that_nobody_has_written_is_told(
    one: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    said = refusal("push", one, server.endpoint, capsys)
    assert "(nobody) could not be found; set AWS_PROFILE to one that" in said


@pytest.mark.parametrize("endpoint", ["minio:9000", "minio.example.org", "http://my_minio:9000"])
def test_an_endpoint_that_is_no_address_is_told(
    one: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal("pull", one, endpoint, capsys)
    assert f"got Invalid endpoint: {endpoint}; write AWS_ENDPOINT_URL, or ENDPOINT" in said


def test_a_server_that_is_not_there_is_told(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no connection" in refusal("push", one, "http://127.0.0.1:9", capsys)


def test_a_connection_that_breaks_is_told_and_a_repeat_finishes(
    one: Path, two: Path, bucket: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with line_of(MIB, server) as endpoint:
        assert "a connection that broke" in refusal("push", one, endpoint, capsys)
    assert server.count(bucket) < 6
    assert tell("push", one, server.endpoint, capsys)[0] == 0
    with line_of(MIB, server) as endpoint:
        assert "run the same command again" in refusal("pull", two, endpoint, capsys)
    assert tell("pull", two, server.endpoint, capsys)[0] == 0
    # DVC by itself would take what had arrived before for all of it.
    assert (two / "big").read_bytes() == (one / "big").read_bytes()


@pytest.mark.usefixtures("bucket")
def test_what_nobody_pushed_is_named(
    two: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing there of big, folder" in refusal("pull", two, server.endpoint, capsys)
    assert "neither here nor in s3://" in refusal("push", two, server.endpoint, capsys)


@pytest.mark.usefixtures("bucket")
def test_what_did_not_arrive_leaves_what_lies_in_its_place(
    one: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    lock, big = one / "dvc.lock", (one / "big").read_bytes()
    # As after `git pull` of a record whose outputs nobody has pushed.
    lock.write_text(lock.read_text().replace(hashlib.md5(big).hexdigest(), "f" * 32))
    shutil.rmtree(one / "folder")
    assert "nothing there of big;" in refusal("pull", one, server.endpoint, capsys)
    assert (one / "big").read_bytes() == big
    assert (one / "folder" / "1").read_text() == "one\n"


def test_what_is_damaged_or_lost_in_the_bucket_is_named_and_sent_again(
    one: Path, two: Path, bucket: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("push", one, server.endpoint, capsys)[0] == 0
    key = object_of(one / "folder" / "1")
    server.put(bucket, key, b"on")
    said = refusal("pull", two, server.endpoint, capsys)
    assert f"damaged bytes there of folder ({bucket}/{key}); delete that object" in said
    assert not (two / "folder").exists()
    server.delete(bucket, key)
    said = refusal("pull", two, server.endpoint, capsys)
    assert "a file of an output is not there; whoever computed it runs `make push`" in said
    # DVC by itself would take the folder, whose list is there, for complete.
    assert tell("push", one, server.endpoint, capsys)[1].startswith("pushed 1 files")
    assert tell("pull", two, server.endpoint, capsys)[0] == 0
    assert (two / "folder" / "1").read_text() == "one\n"


def test_a_damaged_list_of_a_folder_is_named(
    one: Path, two: Path, bucket: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell("push", one, server.endpoint, capsys)[0] == 0
    (folder,) = (one / ".dvc" / "cache" / "files").glob("md5/*/*.dir")
    server.put(bucket, f"s2igan/files/md5/{folder.parent.name}/{folder.name}", b"[")
    said = refusal("pull", two, server.endpoint, capsys)
    assert f"damaged bytes there (object {folder.parent.name}{folder.name} is corrupted)" in said


def object_of(path: Path) -> str:
    """Return where the remote keeps a file."""
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return f"s2igan/files/md5/{digest[:2]}/{digest[2:]}"


@pytest.mark.usefixtures("bucket")
def test_what_was_changed_by_hand_is_not_overwritten(
    one: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (one / "big").unlink()
    (one / "big").write_text("mine")
    assert "changes by hand in" in refusal("pull", one, server.endpoint, capsys)
    assert (one / "big").read_text() == "mine"


def test_a_repository_without_a_remote_is_told_how_to_name_one(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (one / ".dvc" / "config").write_text("")
    assert "make remote URL=" in refusal("push", one, "", capsys)


def test_a_remote_whose_package_is_missing_names_it(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dvc")
    (one / ".dvc" / "config").write_text(
        "[core]\n remote = t\n['remote \"t\"']\n url = gdrive://t\n"
    )
    assert "requires 'dvc-gdrive' to be installed" in refusal("pull", one, "", capsys)
