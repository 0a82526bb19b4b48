import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import soundfile

from s2igan.cli import main
from s2igan.engine.launch import free_port
from s2igan.errors import UserError
from s2igan.serving import page_server
from s2igan.serving.page_server import choose_port
from tests.serving.makers import RATE, babble, write_model

MULTIPART = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="said.wav"\r\n\r\n'


class Served(NamedTuple):
    """A page, where it is, and the folder that it was given for what visitors send."""

    process: subprocess.Popen[str]
    address: str
    sent: Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    sent = tmp_path / "sent"
    model = str(write_model(tmp_path / "model"))
    with (
        free_port() as port,
        subprocess.Popen(
            [sys.executable, "-m", "s2igan.cli", "serve", "--model", model, "--port", str(port)],
            env={
                **os.environ,
                "GRADIO_TEMP_DIR": str(sent),
                "S2IGAN_DEVICE": "cpu",
                "http_proxy": "http://127.0.0.1:9",  # which this machine's own page does not need
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = next(line for line in process.stdout if "http" in line).split()[-1]
            yield Served(process, address, sent)
        finally:
            process.kill()


def test_a_free_port_is_taken_and_a_taken_one_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, free_port() as free:
        taken = busy.getsockname()[1]
        monkeypatch.setattr(page_server, "PORTS", (taken, free))
        assert choose_port("127.0.0.1", None) == free
        assert choose_port("127.0.0.1", free) == free
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{taken}; got Address already in use"):
            choose_port("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["203.0.113.5", "ü..x", "a" * 70 + ".x"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(UserError, match=r"got [^;]+; expected an address of this machine"):
        choose_port(host, None)


def test_without_gradio_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        page_server, "find_spec", lambda name: None if name == "gradio" else find(name)
    )
    assert main(["serve", "--model", str(write_model(tmp_path / "model"))]) == 2
    told = capsys.readouterr().err
    assert "no package gradio; install the extra `demo`" in told
    assert told.count("\n") == 1


def test_an_address_is_neither_empty_nor_beside_the_whole_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_server, "serve", lambda *_: "served")
    arguments = ["serve", "--model", str(write_model(tmp_path / "model"))]
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--lan", "--host", "127.0.0.1"])
    told = capsys.readouterr().err
    assert told.endswith("argument --host: not allowed with argument --lan\n")
    with pytest.raises(SystemExit):
        main([*arguments, "--host", ""])
    assert capsys.readouterr().err.endswith("argument --host: an empty name\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_page_that_is_told_to_end_while_it_starts_is_closed(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    from s2igan.serving import page_model
    from s2igan.serving.model import SpeechToImage

    closed = []

    class Dropped:
        def __del__(self) -> None:  # of what is raised here, Python only warns
            signal.raise_signal(number)

    class Page:
        def close(self, *, verbose: bool) -> None:
            signal.raise_signal(number)  # a second one, while what visitors said is being deleted
            closed.append(verbose)

    def launch(*_: object) -> str:
        Dropped()
        return "the page is at http://127.0.0.1"

    monkeypatch.setattr(SpeechToImage, "load", lambda _: SimpleNamespace(device="cpu"))
    monkeypatch.setattr(page_model, "make_page", lambda *_: Page())
    monkeypatch.setattr(page_server, "launch", launch)
    before = signal.getsignal(number)
    assert page_server.serve(Path(), page_server.Where()) == "the page is closed"
    assert closed == [False]
    assert signal.getsignal(number) == before


def test_a_page_whose_address_nobody_can_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    from s2igan.serving import page_model
    from s2igan.serving.model import SpeechToImage

    closed = []
    page = SimpleNamespace(close=lambda *, verbose: closed.append(verbose))
    monkeypatch.setattr(SpeechToImage, "load", lambda _: SimpleNamespace(device="cpu"))
    monkeypatch.setattr(page_model, "make_page", lambda *_: page)
    monkeypatch.setattr(page_server, "launch", lambda *_: "the page is at http://127.0.0.1")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as caught:
            page_server.serve(Path(), page_server.Where())
    assert caught.value.code == 128 + signal.SIGPIPE
    assert closed == [False]


def test_nothing_that_a_visitor_said_is_remembered_or_left_behind(served: Served) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, babble(), RATE, format="WAV")
    path = upload(served.address, sound.getvalue())
    clip = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [clip, 1, 3.0, 1], "fn_index": 0, "session_hash": "visitor"}
    post(f"{served.address}/gradio_api/queue/join", json.dumps(asked).encode(), "application/json")
    events = f"{served.address}/gradio_api/queue/data?session_hash=visitor"
    with urllib.request.urlopen(events) as answers:
        drawn = next(line for line in answers if b"process_completed" in line)
    assert b"data:audio/flac" in drawn
    link = f"{served.address}/gradio_api/deep_link?session_hash=visitor"
    urllib.request.urlopen(link).close()  # has gradio write down all that it holds of a visitor
    (held,) = served.sent.rglob("state.json")
    assert b"What the model hears" in held.read_bytes()
    assert b"data:" not in held.read_bytes()
    assert path.encode() not in held.read_bytes()
    # Of this page, since one takes seconds to start: what visitors sent is deleted at its end.
    there = len(files(served.sent))
    with part_of_an_upload(served.address):
        await_files(served.sent, there + 1)
    with part_of_an_upload(served.address):  # its visitor stays
        await_files(served.sent, there + 2)
        assert "said.wav" in [path.name for path in files(served.sent)]
        served.process.terminate()
        _, told = served.process.communicate(timeout=300)
    assert served.process.returncode == 0
    assert "Traceback" not in told
    assert "ERROR" not in told
    assert list(served.sent.iterdir()) == []


def test_what_visitors_sent_is_deleted_once_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    from s2igan.serving import page_model
    from s2igan.serving.model import SpeechToImage

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(page_server, "SECONDS_KEPT", 0.6)
    sent: list[Path] = []
    left: list[Path] = []

    def end_once_it_is_tidy() -> None:
        try:
            await_files(tmp_path, 1)
            left.extend(files(tmp_path))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def launch(*_: object) -> str:
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "whole").mkdir()
        sent.extend([folder / "whole" / "new", folder / "whole" / "old", folder / "part"])
        for path, age in zip(sent, (-3600, 1, 1), strict=True):
            path.touch()
            os.utime(path, (time.time() - age,) * 2)
        threading.Thread(target=end_once_it_is_tidy).start()
        return "the page is at http://127.0.0.1"

    page = SimpleNamespace(close=lambda **_: None)
    monkeypatch.setattr(SpeechToImage, "load", lambda _: SimpleNamespace(device="cpu"))
    monkeypatch.setattr(page_model, "make_page", lambda *_: page)
    monkeypatch.setattr(page_server, "launch", launch)
    page_server.serve(Path(), page_server.Where())
    assert left == sent[:1]
    assert list(tmp_path.iterdir()) == []
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path)


def upload(address: str, content: bytes) -> str:
    """Send a whole recording; return where the page says that it put it."""
    told = post(f"{address}/gradio_api/upload", HEAD + content + b"\r\n--x--\r\n", MULTIPART)
    (path,) = json.loads(told)
    return str(path)


def post(address: str, content: bytes, kind: str) -> bytes:
    request = urllib.request.Request(address, content, {"Content-Type": kind})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        told: bytes = answer.read()
    return told


def part_of_an_upload(address: str) -> socket.socket:
    """Send the beginning of a recording, and hold the connection."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Type: {MULTIPART}\r\n"
        "Content-Length: 90000\r\n\r\n".encode()
        + HEAD
        + b"a part"
    )
    return connection


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def await_files(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(files(folder)) != count:
        assert time.monotonic() < deadline, files(folder)
        time.sleep(0.05)


def test_help_says_how_phones_get_a_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "--lan" in capsys.readouterr().out
