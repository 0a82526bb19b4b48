"""Voices of other synthesisers: a program of the machine speaks a sentence into a file.

espeak-ng's voices are one synthesiser with other formants and pitches. Who trains with voices that
were made from recordings of several people is understood better by people that were not heard
(docs/results/voices.md).
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from s2igan.errors import UserError
from s2igan.speech.audio import Pcm, decode_audio
from s2igan.speech.config import Stretch, TtsConfig, split_voice
from s2igan.speech.lines import Line
from s2igan.speech.preparation import prepared

_PATIENCE_S = 60.0
_NO_VOICE = "no-such-voice"


def programs_of(config: TtsConfig) -> list[str]:
    """Return the names of the programs that voices of ``config`` need."""
    names = [split_voice(voice)[0] for voice in (*config.voices, *config.test_voices)]
    return list(dict.fromkeys(name for name in names if name is not None))


def check_programs(config: TtsConfig) -> None:
    """Look for the programs that voices need, before an hour of work asks for them.

    Raises:
        UserError: if one is not on this machine.
    """
    for name in programs_of(config):
        program = shlex.split(config.programs[name])[0]
        if not shutil.which(program):
            raise UserError(
                f"tts.programs.{name}",
                got=f"no program {program!r} on this machine",
                expected="one that speaks",
                fix="install it, or take its voices out of tts.voices and tts.test_voices",
            )


def check_voices(config: TtsConfig, text: str, name: str) -> None:
    """Have every voice of a program say one sentence, before an hour of work asks for more.

    Some programs say in their usual voice what they were to say in one that they do not have, so
    each is asked for one that does not exist, too. A single voice that sounds like that may be the
    usual one, and is told on standard error.

    Raises:
        UserError: if a voice does not say it, or several voices of a program sound like one that
            does not exist.
    """
    for program in programs_of(config):
        if "{voice}" not in config.programs[program]:
            continue
        alike = _sounding_usual(config, program, text, name)
        if len(alike) > 1:
            raise UserError(
                f"tts.programs.{program}",
                got=f"one sound for {', '.join(alike)} and a voice that does not exist",
                expected="voices that it has",
                fix="look up their names in what it lists",
            )
        if alike:
            sys.stderr.write(
                f"tts.programs.{program}: {alike[0]} sounds like a voice that does not exist, so "
                "it is the program's usual one or missing\n"
            )


def _sounding_usual(config: TtsConfig, program: str, text: str, name: str) -> list[str]:
    """Return the voices of ``program`` that sound like one that does not exist."""

    def said(voice: str) -> Pcm:
        return speak_line(config, Line(voice, config.rate_wpm.low, config.pitch.low, text), name)

    chosen = dict.fromkeys((*config.voices, *config.test_voices))
    sounds = {voice: said(voice) for voice in chosen if split_voice(voice)[0] == program}
    try:
        usual = said(f"{program}/{_NO_VOICE}")
    except UserError:
        return []  # it refuses voices that it does not have
    return [voice for voice, sound in sounds.items() if np.array_equal(sound, usual)]


def speak_line(config: TtsConfig, line: Line, name: str) -> Pcm:
    """Have the program of a line's voice speak it, as the engine ``espeak`` does.

    What it says is prepared as a model of synthetic voices prepares any recording, so that all of
    its voices are alike.

    Returns:
        ``(n,)`` int16 at ``config.sample_rate_hz``.

    Raises:
        UserError: if the program does not write a recording, or one without a sound.
    """
    program, _ = split_voice(line.voice)
    assert program is not None
    usual_wpm = (config.rate_wpm.low + config.rate_wpm.high) / 2
    command = config.programs[program]
    data = say_with(command, line, usual_wpm, name)
    try:
        samples, rate_hz = decode_audio(data, name)
    except UserError as error:
        raise UserError(
            f"voice {line.voice} at {name}",
            got=error.got,
            expected=f"a WAV, FLAC, OGG or MP3 file that `{command}` writes",
            fix=f"mend tts.programs.{program}",
        ) from error
    pcm = prepared(samples, rate_hz, config.sample_rate_hz, None)
    if pcm is None:
        raise UserError(
            f"voice {line.voice} at {name}",
            got=f"{line.text!r}, of which it says nothing",
            expected="words that can be spoken",
            fix="mend the text or take the description out of the corpus",
        )
    return pcm


def say_with(command: str, line: Line, usual_wpm: float, name: str) -> bytes:
    """Have a program speak one line.

    Args:
        command: its command line, which no shell reads. ``{voice}`` stands for the voice of
            ``line``, without the name of the program; ``{text}`` for the text; ``{file}`` for the
            file to write; ``{rate}`` for words per minute; ``{stretch}`` for how much longer than
            at ``usual_wpm`` that takes. The last two may have a format, as ``{stretch:.2f}``.
        line: what is said, and how; its pitch is not heard.
        usual_wpm: the rate at which the program speaks where ``{stretch}`` is 1.
        name: how an error names the utterance.

    Returns:
        The bytes of the file.

    Raises:
        UserError: if the program is missing, fails, takes a minute, or writes no file.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        values = {
            "voice": split_voice(line.voice)[1],
            "text": line.text,
            "file": str(file),
            "rate": line.rate_wpm,
            "stretch": Stretch(usual_wpm / line.rate_wpm),
        }
        words = [word.format_map(values) for word in shlex.split(command)]
        try:
            subprocess.run(
                words,
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
            )
            return file.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise UserError(
                f"voice {line.voice} at {name}",
                got=_reason(error),
                expected=f"a recording that `{command}` writes",
                fix="try that command by hand",
            ) from error


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        complaint = error.stderr.decode(errors="replace").strip().splitlines() or ["no word"]
        return f"exit code {error.returncode}, {complaint[-1]}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"nothing within {error.timeout:g} s"
    return str(error)
