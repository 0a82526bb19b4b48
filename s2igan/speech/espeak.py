"""The voice espeak-ng: text in, 16-bit audio out, one fresh process per shard.

The library of the wheel ``espeakng-loader`` is loaded in a process of its own (see
:mod:`s2igan.speech.speaker`), never the program ``espeak-ng`` of the machine, so that every machine
with the same wheel says the same.
"""

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from s2igan.errors import UserError
from s2igan.speech import speaker
from s2igan.speech.audio import Pcm
from s2igan.speech.lines import Line


def say(lines: Sequence[Line], names: Sequence[str]) -> Iterator[tuple[Pcm, int]]:
    """Say ``lines`` one after the other in one freshly started process.

    Args:
        lines: what to say; the audio of a line depends on the lines before it.
        names: how an error names each line.

    Yields:
        ``(n,)`` int16 samples and their rate in Hz, one pair per line, in order.

    Raises:
        UserError: if the wheel is missing, a voice is refused, or a line yields no audio.
    """
    library, data = _wheel()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-P", speaker.__file__, library, data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            yield from _converse(process, lines, names)
        except EOFError as error:
            process.wait()
            errors.seek(0)
            complaint = errors.read().decode(errors="replace").strip().splitlines() or ["no word"]
            raise UserError(
                f"espeak-ng at {error}",
                got=f"exit code {process.returncode}, {complaint[-1]}",
                expected="audio",
            ) from error
        finally:
            process.kill()


def _converse(
    process: "subprocess.Popen[bytes]", lines: Sequence[Line], names: Sequence[str]
) -> Iterator[tuple[Pcm, int]]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(lines).encode())
        process.stdin.close()
    except BrokenPipeError as error:
        raise EOFError("its start") from error
    rate_hz = _integer(process.stdout, "its start")
    for line, name in zip(lines, names, strict=True):
        count = _integer(process.stdout, name)
        if count == speaker.REFUSED_VOICE:
            raise UserError(
                "tts.voices or tts.test_voices",
                got=line.voice,
                expected="a voice of espeak-ng such as en-us, de or en-us+m3",
            )
        pcm = np.frombuffer(_exactly(process.stdout, 2 * count, name), "<i2")
        if not pcm.any():
            raise UserError(
                f"text of {name}",
                got=f"{line.text!r}, of which espeak-ng says nothing",
                expected="words that can be spoken",
                fix="mend the text or leave it out",
            )
        yield pcm, rate_hz


def _wheel() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise UserError(
            "voice of espeak-ng",
            got="no package espeakng-loader",
            expected="the library that it carries",
            fix="install `s2igan[voice]`, or `s2igan[pipeline]` for the stages",
        ) from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def _integer(stream: IO[bytes], where: str) -> int:
    (value,) = struct.unpack("<i", _exactly(stream, 4, where))
    return int(value)


def _exactly(stream: IO[bytes], count: int, where: str) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError(where)
    return data
