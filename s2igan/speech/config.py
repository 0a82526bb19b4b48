"""The sections ``tts`` and ``features.mel`` of ``params.yaml``."""

import math
import re
import shlex
import string
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from s2igan.engine.section import Section, matching

# Other variants draw on what the process happens to hold in memory, so that two processes say the
# same text in different bytes; tests/speech/test_espeak.py speaks every accepted variant twice.
STEADY_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f4")
_STEADY_VOICE = re.compile(rf"[a-z]{{2,3}}(-[a-z0-9]+)*(\+({'|'.join(STEADY_VARIANTS)}))?")
_NEEDED = {"text", "file"}
_OFFERED = {"voice", "rate", "stretch"}


class Stretch(float):
    """How much longer speech takes than usual, to three decimals where no format is asked for."""

    def __format__(self, spec: str) -> str:
        """See :func:`format`."""
        return super().__format__(spec or ".3f")


_NUMBERS = {"rate": 170, "stretch": Stretch(1)}


def split_voice(voice: str) -> tuple[str | None, str]:
    """Return the program that speaks a voice, None for espeak-ng, and what that one calls it."""
    program, slash, name = voice.partition("/")
    return (program, name) if slash else (None, voice)


def _voice(voice: str) -> str:
    program, name = split_voice(voice)
    if program is None and not _STEADY_VOICE.fullmatch(voice):
        raise ValueError(
            "a language such as en-us, alone or with + and one of "
            f"{', '.join(STEADY_VARIANTS)}, since others may not give the same audio twice"
        )
    if not name:
        raise ValueError("a name after the slash")
    return voice


def command_line(command: str) -> str:
    """Return ``command`` if :func:`s2igan.speech.programs.say_with` can fill it in.

    Raises:
        ValueError: if it cannot; the message says what it expects.
    """
    try:
        words = shlex.split(command)
        parts = [part for word in words for part in string.Formatter().parse(word)]
    except ValueError as error:
        raise ValueError(f"a command line that can be read ({error})") from error
    fields = {name for _, name, _, _ in parts} - {None}
    if not words or not fields >= _NEEDED or not fields <= _NEEDED | _OFFERED:
        raise ValueError(
            "a command line with {text} and {file}, and with none but {voice}, {rate} and "
            "{stretch} besides; a brace of its own is written twice"
        )
    if not all(_has_format(*part[1:]) for part in parts):
        raise ValueError(
            "a command line with no format but those of numbers, such as {stretch:.2f} and {rate:d}"
        )
    return command


def _has_format(name: str | None, spec: str | None, conversion: str | None) -> bool:
    """Tell whether what a field is filled with can be written as it asks."""
    if conversion or not spec:
        return not conversion
    if name not in _NUMBERS or "{" in spec:
        return False
    try:
        return bool(format(_NUMBERS[name], spec))
    except ValueError:
        return False


Voice = Annotated[str, AfterValidator(_voice)]
# A voice has one slash, and MLflow takes the name of a parameter.
Program = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_-]+", "a name of letters, digits, _ and -, before the slash of its voices"
    ),
]
Command = Annotated[str, AfterValidator(command_line)]


class IntegerRange(Section):
    """Whole numbers from ``low`` to ``high``, both included."""

    low: int = Field(ge=0, description="smallest value drawn")
    high: int = Field(ge=0, description="largest value drawn")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low to be at most high")
        return self


class SpeakingRate(IntegerRange):
    """Words per minute, within what espeak-ng accepts."""

    low: int = Field(ge=80, le=450, description="slowest rate drawn, words per minute")
    high: int = Field(ge=80, le=450, description="fastest rate drawn, words per minute")


class Pitch(IntegerRange):
    """espeak-ng's base pitch, 0 to 100; 50 is the voice as its makers meant it."""

    low: int = Field(ge=0, le=100, description="lowest pitch drawn")
    high: int = Field(ge=0, le=100, description="highest pitch drawn")


class RecordingsConfig(Section):
    """What is done to a recording before anything else hears it."""

    trim_db: float | None = Field(
        gt=0,
        description="silence at both ends is cut where frames lie this far below the loudest, dB; "
        "null = never",
    )
    keep_ms: float = Field(ge=0, description="silence left at both ends, milliseconds")
    level_dbfs: float | None = Field(
        ge=-60,  # far below, 16 bits hold nothing but silence
        le=0,
        description="root mean square that every recording is brought to, dB of full scale; "
        "null = as recorded",
    )


class Tacotron2Config(Section):
    """Tacotron2 and the vocoder behind it, as torchaudio publishes them."""

    vocoder: Literal["griffinlim", "wavernn"] = Field(
        description="spectrogram to audio; the paper's WaveGlow is not published in torchaudio"
    )
    batch: int = Field(ge=1, description="sentences of similar length spoken at once")
    max_frames: int = Field(
        ge=100,
        description="spectrogram frames, 12 ms each, after which a sentence counts as failed",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of both networks, float32 or bfloat16"
    )


class TtsConfig(Section):
    """How a description becomes audio.

    Voice, rate and pitch are drawn for every utterance by ``seed`` and belong to the engine
    ``espeak``, as do ``programs``.
    """

    engine: Literal["espeak", "tacotron2", "recorded"] = Field(
        description="espeak, tacotron2 (the paper's): synthesise the text; recorded: take the "
        "recordings of the corpus"
    )
    seed: int = Field(ge=0, description="seed of voice, rate and pitch, and of Tacotron2's dropout")
    sample_rate_hz: int = Field(ge=8000, le=48000, description="rate of all audio, Hz; paper 22050")
    voices: list[Voice] = Field(
        min_length=1,
        description="voices to draw from: espeak-ng's, or a key of programs, a slash and a voice "
        "of that program",
    )
    test_voices: list[Voice] = Field(
        description="voices of the descriptions of test classes, so that no voice is "
        "heard both in training and in figures; empty = the same voices"
    )
    programs: dict[Program, Command] = Field(
        description="other programs that speak, by name: a command line with {voice}, {text} and "
        "{file}, the file to write; {rate} is words per minute, {stretch} is 1 in the middle of "
        "rate_wpm and more below it"
    )
    rate_wpm: SpeakingRate = Field(description="speaking rate, words per minute")
    pitch: Pitch = Field(description="base pitch, 0 to 100")
    tacotron2: Tacotron2Config = Field(description="the engine tacotron2")
    recordings: RecordingsConfig = Field(description="the engine recorded")


def voice_conflicts(config: TtsConfig) -> list[str]:
    """Return the voices whose program is none of ``programs``, a line each."""
    voices = [("voices", voice) for voice in config.voices]
    voices += [("test_voices", voice) for voice in config.test_voices]
    return [
        f"tts.{key}: got {voice!r}; expected a voice of espeak-ng, or {program!r} in tts.programs"
        for key, voice in voices
        if (program := split_voice(voice)[0]) is not None and program not in config.programs
    ]


class MelConfig(Section):
    """The log-mel front end (paper §2.2); its sample rate is that of the audio."""

    bands: int = Field(ge=8, le=128, description="mel bands; paper 40")
    window: Literal["hamming", "hann"] = Field(
        description="analysis window; paper hamming, released code hann"
    )
    window_ms: float = Field(gt=0, le=100, description="window length, milliseconds; paper 25")
    hop_ms: float = Field(gt=0, le=100, description="step between frames, milliseconds; paper 10")
    log_floor: float = Field(
        ge=1e-30, le=1, description="added to the power before ln; released code 1e-6"
    )
    normalise: Literal["per_band", "none"] = Field(
        description="per_band: zero mean and unit variance per utterance and band; none: neither, "
        "and then without masks and noise in sen"
    )


def mel_conflicts(config: MelConfig, rate_hz: int) -> list[str]:
    """Return what :class:`s2igan.speech.mel.LogMel` would refuse at ``rate_hz``, a line each."""
    window, hop = (int(rate_hz * ms / 1000) for ms in (config.window_ms, config.hop_ms))
    told = []
    if hop < 1:
        told.append(
            f"features.mel.hop_ms: got {config.hop_ms}; expected at least a sample at "
            f"tts.sample_rate_hz {rate_hz}"
        )
    # The lowest band, from 0 Hz on, is the narrowest; Slaney's scale is linear up to 1 kHz.
    half = rate_hz / 2
    highest_mel = 15 + 27 * math.log(half / 1000) / math.log(6.4)
    widest_step = 2 * highest_mel / (config.bands + 1) * 200 / 3
    if window * widest_step <= rate_hz:
        told.append(
            f"features.mel.window_ms: got {config.window_ms} with features.mel.bands "
            f"{config.bands}; expected at least {1000 / widest_step:.3g} ms, or fewer bands, "
            "since the lowest would hold no Fourier frequency"
        )
    return told
