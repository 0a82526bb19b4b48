import importlib.util
import socket
from pathlib import Path

import pytest

from s2igan.cli import main
from s2igan.errors import UserError
from s2igan.serving import page_server
from s2igan.serving.page_server import choose_port
from tests.serving.makers import write_model


def test_a_free_port_is_taken_and_a_taken_one_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        socket.create_server(("127.0.0.1", 0)) as s,
    ):
        taken, free = busy.getsockname()[1], s.getsockname()[1]
        s.close()
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


def test_help_says_how_phones_get_a_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "--lan" in capsys.readouterr().out
