"""What docs/sharing.md and docs/mlflow.md say is what is said."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import (  # type: ignore[import-untyped]
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
)
from dvc_objects.errors import ObjectFormatError

from s2igan.serving.champion import METRIC, Standing, verdict
from s2igan.sharing.trouble import remote_trouble

ROOT = Path(__file__).parents[2]
SHARING, MLFLOW = (
    (ROOT / "docs" / name).read_text("utf-8") for name in ("sharing.md", "mlflow.md")
)
COMMANDS = re.findall(r"^\$ (.*)$", SHARING + MLFLOW, re.MULTILINE)
ENDPOINT = "https://minio.example.org/team"


def answer(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "ListObjectsV2")


@pytest.mark.parametrize(
    ("error", "transferred"),
    [
        (NoCredentialsError(), False),
        (answer("InvalidAccessKeyId"), False),
        (answer("NoSuchBucket"), False),
        (EndpointConnectionError(endpoint_url=ENDPOINT), False),
        (
            ConnectionClosedError(
                endpoint_url=f"{ENDPOINT}/s2igan/files/md5/8a/7eeb2a8f7665d441cfb2940c167ac6"
            ),
            True,
        ),
        (answer("NoSuchKey"), True),
        (ObjectFormatError("object 8a7eeb2a8f7665d441cfb2940c167ac6.dir is corrupted"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_trouble_of_the_page_is_told_so(error: Exception, transferred: bool) -> None:
    told = remote_trouble("s3://team/s2igan", error, transferred=transferred)
    assert f"\ns2igan: {told}\n" in SHARING


def test_each_verdict_of_the_page_is_told_so() -> None:
    one, two = (Standing(METRIC, value, "minibirds", "drawn", "") for value in (0.528, 0.528))
    for told in (verdict(one, "1", None, None)[1], verdict(two, "2", one, "1")[1]):
        assert f"\n{told}\n" in MLFLOW


def test_every_target_of_the_pages_is_one_of_the_makefile() -> None:
    targets = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert targets == {"remote", "repro", "push", "pull", "register", "ui"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(f"\n{target}: $(READY)  ## " in makefile for target in targets)


def test_a_request_is_made_and_answered_as_the_page_does(tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(b"sound")
    (make,) = (command for command in COMMANDS if command.startswith("echo "))
    subprocess.run(["bash", "-c", make], cwd=tmp_path, check=True)
    (row,) = json.loads((tmp_path / "request.json").read_text())["dataframe_records"]
    assert base64.b64decode(row["recording"]) == b"sound"
    (ask,) = (command for command in COMMANDS if command.startswith("curl "))
    decode = ask.partition(" | ")[2].replace("python", sys.executable, 1)
    sent = json.dumps({"predictions": [{"png": base64.b64encode(b"picture").decode()}]})
    subprocess.run(["bash", "-c", decode], cwd=tmp_path, input=sent, text=True, check=True)
    assert (tmp_path / "bird.png").read_bytes() == b"picture"
