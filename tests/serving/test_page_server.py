import importlib.util
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from s2igan.cli import main
from s2igan.engine.launch import free_port
from s2igan.errors import UserError
from s2igan.serving import page_server
from s2igan.serving.page_server import choose_port
from tests.serving.makers import write_model


def test_a_free_port_is_taken_and_a_taken_one_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, free_port() as free:
        taken = busy.getsockname()[1]
        monkeypatch.setattr(page_server, "PORTS", (taken, free))
        assert choose_port("127.0.0.1", None) == free
        assert choose_port("127.0.0.1", free) == free
        with pytest.raises(UserError, match=rf"127\.0\.0\.1:{taken}; got Address already in use"):
            choose_port("127.0.0.1", taken)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(UserError, match="an address of this machine"):
        choose_port("203.0.113.5", None)


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
    arguments = ["serve", "--model", str(write_model(tmp_path / "model")), "--lan"]
    assert main([*arguments, "--host", "127.0.0.1"]) == 2
    told = capsys.readouterr().err
    assert "got --lan and --host 127.0.0.1" in told
    assert told.count("\n") == 1
    with pytest.raises(SystemExit):
        main([*arguments[:-1], "--host", ""])
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


def test_what_visitors_said_is_deleted_when_the_page_is_told_to_end(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the page needs the extra `demo`")
    uploads = tmp_path / "uploads"
    model = str(write_model(tmp_path / "model"))
    with (
        free_port() as port,
        subprocess.Popen(
            [sys.executable, "-m", "s2igan.cli", "serve", "--model", model, "--port", str(port)],
            env={
                **os.environ,
                "GRADIO_TEMP_DIR": str(uploads),
                "S2IGAN_DEVICE": "cpu",
                "http_proxy": "http://127.0.0.1:9",  # which this machine's own page does not need
            },
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = next(line for line in process.stdout if "http" in line).split()[-1]
            upload(address, b"a recording")
            assert [path.name for path in files(uploads)] == ["said.wav"]
            process.terminate()
            assert process.wait(timeout=300) == 0
            assert files(uploads) == []
        finally:
            process.kill()


def upload(address: str, content: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="said.wav"\r\n\r\n'
    request = urllib.request.Request(
        f"{address}/gradio_api/upload",
        head + content + b"\r\n--x--\r\n",
        {"Content-Type": "multipart/form-data; boundary=x"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_help_says_how_phones_get_a_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "--lan" in capsys.readouterr().out
