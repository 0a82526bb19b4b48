"""Other programs speak: here a small one, whose recording tells what it was asked."""

import io
import shlex
import sys
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch
from pydantic import ValidationError

from s2igan.errors import UserError
from s2igan.speech import finished, programs
from s2igan.speech.config import TtsConfig, voice_conflicts
from s2igan.speech.finished import keep, kept_path
from s2igan.speech.lines import Line, draw_line
from s2igan.speech.programs import check_voices, say_with, speak_line
from s2igan.speech.shards import SpeechShards
from s2igan.speech.synthesis import speak_corpus
from tests.corpora.makers import folder_bytes
from tests.speech.conftest import MakeCorpus, MakeTts

# A tone as long as the text has letters, in hundredths of a second times the stretch, at 8 kHz.
PROGRAM = """
import sys, numpy, soundfile
hz, text, file, rate, stretch = sys.argv[1:]
print(rate, "words per minute")
seconds = len(text) / 100 * float(stretch)
phase = 2 * numpy.pi * int(hz) * numpy.arange(round(seconds * 8000)) / 8000
soundfile.write(file, 0.01 * numpy.sin(phase), 8000)
"""


@pytest.fixture
def command(tmp_path: Path) -> str:
    (tmp_path / "speak.py").write_text(PROGRAM)
    program = shlex.join([sys.executable, str(tmp_path / "speak.py")])
    return f"{program} {{voice}} {{text}} {{file}} {{rate}} {{stretch}}"


def _speak(config: TtsConfig, corpus: Path, out: Path, kept: Path) -> None:
    device = torch.device("cpu")
    speak_corpus(config, corpus=corpus, weights=out, out=out, device=device, workers=1, kept=kept)


def test_a_program_is_asked_for_text_voice_and_rate(command: str) -> None:
    text = "a small 'red' bird; {blue} $HOME"
    data = say_with(command, Line("tone/500", 100, 50, text), 150, "line 1")
    samples, rate_hz = soundfile.read(io.BytesIO(data))
    assert rate_hz == 8000
    assert len(samples) == 80 * len(text) * 1.5
    assert _loudest_hz(samples, rate_hz) == pytest.approx(500, abs=10)


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ("{rate} {stretch}", "150 1.133"),
        ("{rate:d} {stretch:.2f}", "150 1.13"),
        ("{rate:.1f} --stretch={stretch:.0%}", "150.0 --stretch=113%"),
    ],
)
def test_numbers_are_written_as_a_command_asks(
    tts: MakeTts, tmp_path: Path, fields: str, written: str
) -> None:
    said = tmp_path / "said"
    command = f"sh -c 'echo \"$@\" > {said}; : > $0' {{file}} {{text}} {fields}"
    (command,) = tts(programs={"x": command}).programs.values()
    say_with(command, Line("x/slt", 150, 50, "a bird"), 170, "line 1")
    assert said.read_text() == f"a bird {written}\n"


def test_both_synthesisers_speak_of_a_corpus(
    tts: MakeTts, corpus: MakeCorpus, command: str, tmp_path: Path
) -> None:
    config = tts(voices=["en-us", "tone/500", "tone/900"], programs={"tone": command})
    texts = [f"a bird with {count} red wings and a belly" for count in range(12)]
    out = tmp_path / "speech"
    _speak(config, corpus(texts), out, tmp_path)
    lines = [draw_line(config, row, text) for row, text in enumerate(texts)]
    assert {line.voice for line in lines} == {"en-us", "tone/500", "tone/900"}
    for row, line in enumerate(lines):
        samples, rate_hz = SpeechShards(out)[row]
        assert rate_hz == 22050
        if line.voice != "en-us":
            assert _loudest_hz(samples, rate_hz) == pytest.approx(int(line.voice[5:]), abs=10)
            # As loud as espeak-ng: the tone itself lies at -43 dB of full scale.
            assert -24.1 < 10 * np.log10(np.square(samples).mean()) < -23.9
            assert len(samples) / rate_hz == pytest.approx(
                len(texts[row]) / 100 * 170 / line.rate_wpm, abs=0.01
            )


def _loudest_hz(samples: npt.NDArray[np.floating], rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(spectrum.argmax() * rate_hz / len(samples))


@pytest.mark.parametrize(
    ("say", "got"),
    [
        ("no-such-program {text} {file}", ".*No such file or directory: 'no-such-program'"),
        ("true {text} {file}", ".*No such file or directory: .*said.wav'"),
        (
            f"{sys.executable} -c 'raise SystemExit(\"no voice\")' {{text}} {{file}}",
            "exit code 1, no voice",
        ),
        ("false {text} {file}", "exit code 1, no word"),
    ],
)
def test_one_that_says_nothing_is_told(say: str, got: str) -> None:
    with pytest.raises(UserError, match=f"voice x/slt at line 7; got {got}; expected a recording"):
        say_with(say, Line("x/slt", 170, 50, "a bird"), 170, "line 7")


def test_one_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_PATIENCE_S", 0.2)
    say = f"{sys.executable} -c 'import time; time.sleep(60)' {{text}} {{file}}"
    with pytest.raises(UserError, match=r"got nothing within 0\.2 s"):
        say_with(say, Line("x/slt", 170, 50, "a bird"), 170, "line 7")


def test_silence_is_told(tts: MakeTts, command: str) -> None:
    config = tts(voices=["tone/0"], programs={"tone": command})
    with pytest.raises(UserError, match="'a bird', of which it says nothing"):
        speak_line(config, Line("tone/0", 170, 50, "a bird"), "line 7")


def test_a_missing_program_is_told_before_anything_is_said(
    tts: MakeTts, corpus: MakeCorpus, tmp_path: Path
) -> None:
    config = tts(
        voices=["en-us"], test_voices=["x/slt"], programs={"x": "no-such-program {text} {file}"}
    )
    out = tmp_path / "speech"
    with pytest.raises(UserError, match=r"tts\.programs\.x; got no program 'no-such-program'"):
        _speak(config, corpus(["a bird"]), out, tmp_path)
    assert not out.exists()


USUAL = 'import sys; sys.argv[1] = {"500": "500", "900": "900"}.get(sys.argv[1], "700")\n'


@pytest.mark.parametrize(
    ("voices", "refused"),
    [
        (["tone/500", "tone/900"], None),
        (["tone/500", "tone/700"], None),
        (["tone/500", "tone/9OO"], None),
        (["tone/500", "tone/700", "tone/9OO"], "one sound for tone/700, tone/9OO and a voice"),
    ],
)
def test_voices_that_a_program_lacks_are_told(
    tts: MakeTts,
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    voices: list[str],
    refused: str | None,
) -> None:
    (tmp_path / "speak.py").write_text(USUAL + PROGRAM)
    config = tts(voices=["en-us"], test_voices=voices, programs={"tone": command})
    if refused:
        with pytest.raises(UserError, match=rf"tts\.programs\.tone; got {refused}"):
            check_voices(config, "a red bird", "utterance 0")
    else:
        check_voices(config, "a red bird", "utterance 0")
        odd = [voice for voice in voices if voice not in ("tone/500", "tone/900")]
        assert capsys.readouterr().err == "".join(
            f"tts.programs.tone: {voice} sounds like a voice that does not exist, so it is the "
            "program's usual one or missing\n"
            for voice in odd
        )


def test_a_program_that_refuses_voices_needs_no_such_care(
    tts: MakeTts, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check_voices(tts(voices=["tone/500"], programs={"tone": command}), "a red bird", "utterance 0")
    assert not capsys.readouterr().err
    with pytest.raises(UserError, match="voice tone/bass at utterance 0; got exit code 1"):
        check_voices(tts(voices=["tone/bass"], programs={"tone": command}), "a bird", "utterance 0")


def test_voices_are_tried_before_anything_is_kept(
    tts: MakeTts, corpus: MakeCorpus, command: str, tmp_path: Path
) -> None:
    config = tts(voices=["en-us", "tone/bass"], programs={"tone": command})
    kept = tmp_path / "kept"
    with pytest.raises(UserError, match="voice tone/bass at utterance 0"):
        _speak(config, corpus(["a bird"]), tmp_path / "speech", kept)
    assert not kept.exists()


def test_a_mended_or_killed_run_speaks_no_finished_shard_again(
    tts: MakeTts, corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("descriptions", "shards", "synthesis"):
        monkeypatch.setattr(f"s2igan.speech.{module}.SHARD_SIZE", 4)
    soundfile.write(tmp_path / "tone.wav", np.resize([0.5, -0.5], 4000), 8000)
    (tmp_path / "hoarse").touch()
    (tmp_path / "speak.sh").write_text(
        'cd "$(dirname "$0")" && echo "$1" >> said && cp tone.wav "$2"\n'
        'case "$1" in *9) ! test -e hoarse;; esac\n'
    )
    command = f"sh {tmp_path / 'speak.sh'} {{text}} {{file}}"
    config, texts = tts(voices=["x/y"], programs={"x": command}), [f"bird {n}" for n in range(10)]
    source, out, kept = corpus(texts), tmp_path / "speech", tmp_path / "kept"
    speak = partial(_speak, config, source, out, kept)
    with pytest.raises(UserError, match=r"voice x/y at utterance 9"):
        speak()
    assert not out.exists()
    assert (tmp_path / "said").read_text().splitlines() == texts
    (tmp_path / "hoarse").unlink()
    speak()
    assert (tmp_path / "said").read_text().splitlines() == [*texts, "bird 8", "bird 9"]
    assert len(SpeechShards(out)) == 10
    assert not [path for path in kept.iterdir() if path.is_dir()]
    resumed = folder_bytes(out)
    speak()
    assert folder_bytes(out) == resumed
    assert len((tmp_path / "said").read_text().splitlines()) == 22


def test_a_shard_whose_voices_are_others_is_spoken_again(
    tts: MakeTts, corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("descriptions", "shards", "synthesis"):
        monkeypatch.setattr(f"s2igan.speech.{module}.SHARD_SIZE", 2)
    for voice, wave in (("one", [0.5, -0.5]), ("two", [0.5, 0.5, -0.5, -0.5])):
        soundfile.write(tmp_path / f"{voice}.wav", np.resize(wave, 4000), 8000)
    (tmp_path / "speak.sh").write_text(
        'cd "$(dirname "$0")" && echo "$3: $1" >> said && cp "$3.wav" "$2"\n'
        'case "$1" in *9) false;; esac\n'
    )
    command = f"sh {tmp_path / 'speak.sh'} {{text}} {{file}} {{voice}}"
    config = tts(voices=["x/one"], test_voices=["x/two"], programs={"x": command})
    for split in ("train", "test"):
        source = corpus(["bird 0", "bird 1", "bird 9"], split=split)
        with pytest.raises(UserError, match="at utterance 2"):
            _speak(config, source, tmp_path / "speech", tmp_path / "kept")
    said = (tmp_path / "said").read_text().splitlines()
    # The first text is what voices are tried with.
    assert [line for line in said if line.endswith("bird 1")] == ["one: bird 1", "two: bird 1"]


def test_a_shard_that_is_half_written_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(finished, "write_shard", half_written)
    path = kept_path(tmp_path, 0, ["a bird"])
    with pytest.raises(KeyboardInterrupt):
        keep(path, [], 22050)
    assert not path.exists()


def test_one_that_no_voice_names_need_not_be_here(
    tts: MakeTts, corpus: MakeCorpus, tmp_path: Path
) -> None:
    config = tts(programs={"x": "no-such-program {text} {file}"})
    _speak(config, corpus(["a bird"]), tmp_path / "speech", tmp_path)
    assert len(SpeechShards(tmp_path / "speech")) == 1


@pytest.mark.parametrize(
    "command",
    [
        "",
        "flite -t {text}",
        "flite -o {file}",
        "flite {text} {file} {pitch}",
        "flite {text} {file} {}",
        "flite {text} {file.parent}",
        "flite {text} {file} '",
        "flite {text} {file} {",
        "flite {text!r} {file}",
        "flite {text:>10} {file}",
        "flite {text} {file:s}",
        "flite {text} {file} {stretch!s}",
        "flite {text} {file} {stretch:d}",
        "flite {text} {file} {rate:{stretch}}",
    ],
)
def test_a_command_that_cannot_speak_is_refused(tts: MakeTts, command: str) -> None:
    with pytest.raises(ValidationError, match=r"programs\.x\n.*a command line"):
        tts(programs={"x": command})


@pytest.mark.parametrize("name", ["", "a/b", "fl ite", "a.b", "flîte"])
def test_a_program_has_a_plain_name(tts: MakeTts, name: str) -> None:
    with pytest.raises(ValidationError, match="a name of letters, digits, _ and -"):
        tts(programs={name: "flite {text} {file}"})


@pytest.mark.parametrize("voice", ["x/", "/"])
def test_a_voice_without_a_name_is_refused(tts: MakeTts, voice: str) -> None:
    with pytest.raises(ValidationError, match="a name after the slash"):
        tts(voices=[voice], programs={"x": "flite {text} {file}"})


def test_every_voice_of_an_unknown_program_is_told(tts: MakeTts) -> None:
    known = {"x": "flite {text} {file}"}
    config = tts(voices=["en-us", "x/slt", "y/slt"], test_voices=["x/rms", "/slt"], programs=known)
    assert [line[: line.index(";")] for line in voice_conflicts(config)] == [
        "tts.voices: got 'y/slt'",
        "tts.test_voices: got '/slt'",
    ]


@pytest.mark.parametrize(
    ("write", "got"),
    [
        (": > $0", "0 bytes that do not decode"),
        ("echo $1 > $0", "7 bytes that do not decode"),
    ],
)
def test_a_file_that_is_no_recording_is_told(tts: MakeTts, write: str, got: str) -> None:
    command = f"sh -c '{write}' {{file}} {{text}}"
    config = tts(voices=["x/slt"], programs={"x": command})
    with pytest.raises(UserError, match=f"^voice x/slt at line 7; got {got}") as caught:
        speak_line(config, Line("x/slt", 170, 50, "a bird"), "line 7")
    assert str(caught.value).endswith(f" that `{command}` writes; mend tts.programs.x")
