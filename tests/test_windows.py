"""What Windows runs and refuses, on a Python that is made to lack what its Python lacks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from s2igan.engine.pictures import decode_picture

ROOT = Path(__file__).parents[1]
PRETENCE = """
import ctypes, os, runpy, signal, sys, sysconfig
# What is built for one system is there before it is made to look like another.
import soundfile, torch, torchaudio
sysconfig.get_config_vars()

class Library(ctypes.CDLL):
    def __init__(self, name, *others, **named):
        if name is None:
            raise TypeError("argument of type 'NoneType' is not iterable")
        super().__init__(name, *others, **named)

for module, names in [
    (os, ("O_DIRECTORY", "O_NOFOLLOW", "getuid", "sched_getaffinity")),
    (signal, ("SIGHUP", "SIGPIPE")),
]:
    for name in names:
        vars(module).pop(name, None)
sys.modules["fcntl"] = sys.modules["resource"] = None
ctypes.CDLL = Library
sys.platform = "win32"
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(
    module: str, *arguments: str, folder: Path, stdout: int = subprocess.DEVNULL
) -> tuple[int, str]:
    """Run a module on that Python; return its exit code and what it said on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PRETENCE, module, *arguments],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_model_can_be_spoken_to(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(scale=0.05, size=16_000)
    soundfile.write(tmp_path / "clip.wav", sound, 16_000)
    code, said = run("s2igan.cli", "speak", "clip.wav", "-o", "bird.png", folder=tmp_path)
    assert code == 0, said
    picture = decode_picture((tmp_path / "bird.png").read_bytes(), "bird.png")
    assert picture.shape == (64, 64, 3)


def test_a_reader_that_has_gone_leaves_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code = run("s2igan.cli", "report", str(ROOT / "metrics"), folder=tmp_path, stdout=writer)
    finally:
        os.close(writer)
    assert code == (141, "")


def test_the_pipeline_is_refused_in_one_line(tmp_path: Path) -> None:
    told = "the system; got Windows; expected Linux or macOS; clone the repository inside of WSL2"
    for module, arguments in [("stages.embed", ()), ("s2igan.cli", ("table", "list.yaml"))]:
        code, said = run(module, *arguments, folder=tmp_path)
        assert code == 2
        assert said.removeprefix("s2igan: ").startswith(told)
        assert said.count("\n") == 1
