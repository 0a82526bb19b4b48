"""A recording as somebody hands it over: read, checked, mixed to mono."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from s2igan.engine.sound import ForwardSound, rate_problem
from s2igan.errors import UserError
from s2igan.serving.limits import LONGEST_S, SHORTEST_S
from s2igan.speech.audio import Samples

SILENT_DBFS = -60.0
"""A recording whose loudest frame lies below is silent, dB of full scale."""

_PIPED_MIB = 64  # 30 s of 192 kHz in stereo take 44 at 32 bits
_TOO_LONG = f"more than {LONGEST_S:.0f} s"
_FRAME_S = 0.02
_CHANNELS = 32
_KINDS = "a WAV, FLAC, OGG or MP3 file with speech in it"


@dataclass(frozen=True)
class Recording:
    """What a microphone or a file gave; made by :func:`read_recording` or :func:`check_recording`.

    Attributes:
        samples: ``(T,)`` float32 mono in [-1, 1].
        rate_hz: their rate, Hz.
        name: how an error names it.
    """

    samples: Samples
    rate_hz: int
    name: str = "unnamed"


def read_recording(path: str | Path, name: str | None = None) -> Recording:
    """Read a recording of any rate, mono or stereo; a long one is refused from its header.

    Args:
        path: a WAV, FLAC, OGG or MP3 file, or any other that libsndfile reads; or a pipe that one
            comes through.
        name: how an error names it; by default its path.

    Raises:
        UserError: if there is no such file, it is not audio, or :func:`check_recording` refuses it.
    """
    path, name = Path(path), name or str(path)
    try:
        if path.is_fifo():
            return _read_pipe(path, name)
        if not path.is_file():
            raise UserError(_named(name), got=_no_file(path), expected=_KINDS)
        # Opened by its number, a file has no name: no extension misleads, nor need it be UTF-8.
        with path.open("rb") as opened, ForwardSound(opened.fileno(), closefd=False) as file:
            _check_header(file, name)
            # What the header says may be wrong; nothing beyond the longest is read in any case.
            limit = int(LONGEST_S * file.samplerate) + 1
            samples = file.read(frames=limit, dtype="float32", always_2d=True)
            rate_hz = int(file.samplerate)
    except OSError as error:
        raise UserError(_named(name), got=error.strerror, expected=_KINDS) from error
    except soundfile.LibsndfileError as error:
        size = path.stat().st_size
        got = f"{size} bytes that do not decode" if size else "an empty file"
        raise UserError(_named(name), got=got, expected=_KINDS) from error
    if len(samples) == limit:
        raise _too_long(_TOO_LONG, name)
    return check_recording(samples, rate_hz, name)


def _read_pipe(path: Path, name: str) -> Recording:
    # libsndfile goes back in most files, as it cannot in a pipe.
    with path.open("rb") as pipe, NamedTemporaryFile() as copy:
        if copy.write(pipe.read((_PIPED_MIB << 20) + 1)) > _PIPED_MIB << 20:
            raise _too_long(f"more than {_PIPED_MIB} MiB", name)
        copy.flush()
        return read_recording(copy.name, name)


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "neither a file nor a pipe" if path.exists() else "no such file"


def check_recording(samples: npt.NDArray[Any], rate_hz: float, name: str) -> Recording:
    """Check samples and mix them to mono.

    Args:
        samples: ``(T,)`` or ``(T, C)``, float32 or float64 in [-1, 1], or int16 or int32; floats
            beyond full scale are turned down, not clipped.
        rate_hz: their rate, Hz, a whole number.
        name: how an error names the recording.

    Raises:
        UserError: if it holds no sample, one that is not a number, or nothing but silence, if it
            is shorter or longer than :mod:`s2igan.serving.limits` says, or if dtype, shape or rate
            are none of sound.
    """
    rate_hz = _whole(rate_hz, name)
    _check_rate(rate_hz, name)
    mono = _mono(samples, name)
    if not len(mono):
        raise UserError(_named(name), got="no sample", expected="speech")
    if not np.isfinite(mono).all():
        raise UserError(_named(name), got="samples that are not numbers", expected="speech")
    _check_length(len(mono) / rate_hz, name)
    mono /= max(1.0, float(np.abs(mono).max()))
    if _loudest_dbfs(mono, round(_FRAME_S * rate_hz)) < SILENT_DBFS:
        raise UserError(
            _named(name),
            got=f"{len(mono) / rate_hz:.2g} s of silence",
            expected="speech",
            fix="check the microphone and its level",
        )
    return Recording(mono, rate_hz, name)


def _check_header(file: ForwardSound, name: str) -> None:
    _check_rate(int(file.samplerate), name)
    _check_channels(file.channels, name)
    if file.says_length and file.frames > LONGEST_S * file.samplerate:
        _check_length(file.frames / file.samplerate, name)


def _whole(rate_hz: float, name: str) -> int:
    if not float(rate_hz).is_integer():
        raise UserError(_named(name), got=f"{rate_hz} samples a second", expected="a whole number")
    return int(rate_hz)


def _check_rate(rate_hz: int, name: str) -> None:
    if problem := rate_problem(rate_hz):
        raise UserError(_named(name), got=problem)


def _check_channels(channels: int, name: str) -> None:
    if not 1 <= channels <= _CHANNELS:
        raise UserError(_named(name), got=f"{channels} channels", expected=f"1 to {_CHANNELS}")


def _check_length(seconds: float, name: str) -> None:
    # Rounded, a length that is refused may look like the limit.
    if seconds < SHORTEST_S:
        raise UserError(
            _named(name),
            got=f"{min(seconds, SHORTEST_S - 0.001):.3g} s",
            expected=f"at least {SHORTEST_S} s",
            fix="say a whole sentence",
        )
    if seconds > LONGEST_S:
        raise _too_long(f"{seconds:,.0f} s" if round(seconds) > LONGEST_S else _TOO_LONG, name)


def _too_long(got: str, name: str) -> UserError:
    return UserError(
        _named(name),
        got=got,
        expected=f"at most {LONGEST_S:.0f} s, the description of one picture",
        fix="cut the part out that describes it",
    )


def _mono(samples: npt.NDArray[Any], name: str) -> Samples:
    scales = {"f4": 1.0, "f8": 1.0, "i2": 2.0**15, "i4": 2.0**31}
    array = np.asarray(samples)
    scale = scales.get(array.dtype.str[1:])
    if scale is None or array.ndim not in (1, 2):
        raise UserError(
            _named(name),
            got=f"an array of {array.dtype}, shape {array.shape}",
            expected="(T,) or (T, channels) of float32, float64, int16 or int32",
        )
    if array.ndim == 2:
        _check_channels(array.shape[1], name)
    # What is infinite, or a float64 beyond float32, is told as not a number without a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        if array.ndim == 2:
            array = array.mean(axis=1, dtype=np.float64 if scale > 1 else array.dtype)
        mono: Samples = np.array(array / scale, np.float32)
    return mono


def _loudest_dbfs(samples: Samples, frame: int) -> float:
    """Return the root mean square of the loudest frame, dB of full scale; -inf if all is equal."""
    # A microphone's constant offset is no sound.
    centred = samples.astype(np.float64) - samples.mean(dtype=np.float64)
    power = np.square(np.pad(centred, (0, -len(centred) % frame))).reshape(-1, frame).mean(axis=1)
    loudest = float(power.max())
    return 10 * float(np.log10(loudest)) if loudest > 0 else -np.inf


def _named(name: str) -> str:
    return f"recording {name!r}"
