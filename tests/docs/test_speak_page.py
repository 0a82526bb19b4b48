"""Every command of docs/speak.md runs, and says what the page has it say."""

import json
import re
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s2igan.cli import main
from s2igan.serving import locate
from tests.serving.makers import RATE, babble, write_pipeline

PAGE = Path(__file__).parents[2] / "docs" / "speak.md"
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [
    (command, "\n".join(said))
    for block in BLOCKS
    for command, *said in (part.splitlines() for part in block.split("$ ")[1:])
]
CODE = 2
# What depends on the model, the machine or the moment.
NUMBERS = re.compile(r"\d+(\.\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the page names."""
    folder = tmp_path_factory.mktemp("page")
    for seed, name in enumerate(("clip.wav", "red.wav", "blue.flac", "grey.mp3")):
        soundfile.write(folder / name, babble(seed), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(2 * RATE), RATE)
    (folder / "notes.wav").write_text("red bird\n" * 60)
    with soundfile.SoundFile(folder / "lecture.wav", "w", 8000, 1) as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8000, np.float32))
    write_pipeline(folder)
    # The page makes it before, but another process may run the test of that command.
    assert main(["export", "--model", str(folder), "-o", str(folder / "my-birds")]) == 0
    return folder


def microphone() -> types.ModuleType:
    module = types.ModuleType("sounddevice")
    heard = babble(7, seconds=9)[:, None]
    vars(module).update(rec=lambda frames, **_: heard[:frames], PortAudioError=OSError)
    return module


def test_the_page_shows_every_command() -> None:
    assert {command.split()[1] for command, _ in COMMANDS} == {"speak", "info", "export"}


@pytest.mark.parametrize(("command", "said"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_of_the_page_says_what_stands_there(
    command: str,
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "--text" in command:
        pytest.importorskip("espeakng_loader")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setitem(sys.modules, "sounddevice", microphone())
    program, *arguments = shlex.split(command)
    assert program == "s2igan"
    refused = said.startswith("s2igan: ")
    assert main(arguments) == (CODE if refused else 0)
    told = capsys.readouterr()
    if refused:
        assert said in told.err
        return
    shown, heard = (
        [NUMBERS.sub("0", line).split() for line in text.splitlines()]
        for text in (said, told.err + told.out)
    )
    if ["…"] in shown:
        shown.remove(["…"])
        heard = [line for line in heard if line in shown]
    assert shown == heard


def test_the_python_of_the_page_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    pictures = names["pictures"]
    assert isinstance(pictures, np.ndarray)
    assert pictures.shape[:2] == (1, 8)


@pytest.mark.skipif(not locate.DEFAULT.is_dir(), reason="the default model is not in this copy")
def test_the_model_that_ships_is_the_one_of_the_page() -> None:
    architecture = json.loads((locate.DEFAULT / "rdg.json").read_text(encoding="utf-8"))
    assert 4 * architecture["generator"]["base_size"] == 64
