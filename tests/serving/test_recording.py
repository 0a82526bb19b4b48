"""Recordings as people hand them over: a recording or one clear line."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.serving.limits import LONGEST_S
from s2igan.serving.recording import Recording, check_recording, read_recording
from tests.sounds import with_length

RATE = 16000


def tone(rate_hz: int = RATE, seconds: float = 1.0) -> npt.NDArray[np.float32]:
    times = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype", "rate_hz", "tolerance"),
    [
        ("a.wav", "PCM_16", 8000, 1e-4),
        ("a.wav", "PCM_24", 48000, 1e-6),
        ("a.wav", "PCM_U8", 11025, 1e-2),
        ("a.wav", "FLOAT", 44100, 0.0),
        ("a.flac", "PCM_16", 22050, 1e-4),
        ("a.ogg", "VORBIS", 44100, 0.1),
        ("a.mp3", "MPEG_LAYER_III", 44100, None),
    ],
)
def test_every_kind_of_file_is_read(
    tmp_path: Path, name: str, subtype: str, rate_hz: int, tolerance: float | None
) -> None:
    samples = tone(rate_hz)
    soundfile.write(tmp_path / name, samples, rate_hz, subtype=subtype)
    recording = read_recording(tmp_path / name)
    assert recording.rate_hz == rate_hz
    assert recording.samples.dtype == np.float32
    if tolerance is None:  # MP3 adds silence at both ends
        power = np.square(recording.samples).mean()
        assert power == pytest.approx(np.square(samples).mean(), rel=0.1)
    else:
        np.testing.assert_allclose(recording.samples, samples, atol=tolerance)


def test_a_flac_that_a_pipe_got_is_read_and_a_long_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(), RATE)
    path.write_bytes(with_length(path.read_bytes(), 0))
    np.testing.assert_allclose(read_recording(path).samples, tone(), atol=1e-4)
    soundfile.write(path, tone(seconds=LONGEST_S + 1), RATE)
    path.write_bytes(with_length(path.read_bytes(), 0))
    with pytest.raises(UserError, match="got more than 30 s; expected at most 30 s"):
        read_recording(path)


def piped(path: Path) -> Recording:
    """Read a file through a pipe, named as a shell names one."""
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        return read_recording(f"/dev/fd/{cat.stdout.fileno()}")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_what_comes_through_a_pipe_is_read_as_the_file_is(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(seconds=9.0), RATE)
    np.testing.assert_array_equal(
        piped(tmp_path / name).samples, read_recording(tmp_path / name).samples
    )


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "an empty file"),
        (5, "5 bytes that do not decode"),
        (2**26 + 1, "more than 64 MiB; expected at most 30 s"),
    ],
)
def test_a_bad_pipe_is_told_in_one_line(tmp_path: Path, size: int, said: str) -> None:
    (tmp_path / "bad").write_bytes(b"")
    os.truncate(tmp_path / "bad", size)
    with pytest.raises(UserError, match=f"recording '/dev/fd/.*'; got {said}"):
        piped(tmp_path / "bad")


def test_a_name_may_be_any_that_the_system_has(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    for name in (os.fsdecode(b"burung-\xff.wav"), "burung.raw", "burung"):
        (tmp_path / name).hardlink_to(tmp_path / "a.wav")
        assert len(read_recording(tmp_path / name).samples) == RATE


def test_a_name_makes_no_sound_of_text(tmp_path: Path) -> None:
    path = tmp_path / "burung.gsm"
    path.write_text("a small bird with a red crown\n" * 40)
    with pytest.raises(UserError, match="1200 bytes that do not decode"):
        read_recording(path)


def test_a_file_may_be_named_by_a_string(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    assert read_recording(str(tmp_path / "a.wav")).rate_hz == RATE


def test_a_sentence_in_place_of_a_file_is_told() -> None:
    # From Python 3.14 on there is just no such file.
    with pytest.raises(UserError, match=r"got (File name too long|no such file); expected a WAV"):
        read_recording(Path("a small red bird " * 20))


def test_stereo_is_mixed(tmp_path: Path) -> None:
    stereo = np.stack([tone(), np.zeros(RATE, np.float32)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_recording(tmp_path / "a.wav").samples, tone() / 2, atol=1e-7)


def not_a_number() -> npt.NDArray[np.float32]:
    samples = tone()
    samples[100] = np.nan
    return samples


def half_a_header(path: Path) -> None:
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:20])


def sound(
    samples: npt.NDArray[np.float32], rate_hz: int = RATE, subtype: str = "PCM_16"
) -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, rate_hz, subtype=subtype)


MAKERS: dict[str, Callable[[Path], object]] = {
    "nothing": str,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to(os.devnull),
    "0 bytes": Path.touch,
    "text": lambda path: path.write_text("a small bird with a red crown\n" * 40),
    "half a header": half_a_header,
    "header alone": sound(tone()[:0]),
    "silence": sound(np.zeros(RATE, np.float32)),
    "an offset": sound(np.full(RATE, 0.5, np.float32)),
    "NaN": sound(not_a_number(), subtype="FLOAT"),
    "short": sound(tone(seconds=0.1)),
    "long": sound(tone(seconds=LONGEST_S + 1)),
    "2 samples a second": sound(tone()[:60], rate_hz=2),
}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", "no such file"),
        ("folder", "a folder"),
        ("device", "neither a file nor a pipe"),
        ("0 bytes", "an empty file"),
        ("text", "1200 bytes that do not decode"),
        ("half a header", "20 bytes that do not decode"),
        ("header alone", "no sample"),
        ("silence", "1 s of silence"),
        ("an offset", "1 s of silence"),
        ("NaN", "samples that are not numbers"),
        ("short", "got 0.1 s; expected at least 0.2 s"),
        ("long", "got 31 s; expected at most 30 s"),
        ("2 samples a second", "2 samples a second"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "bad.wav"
    MAKERS[kind](path)
    with pytest.raises(UserError) as caught:
        read_recording(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (1599, "got 0.199 s; expected at least 0.2 s"),
        (3, "got 0.000375 s; expected at least 0.2 s"),
        (8000 * 30 + 1, "got more than 30 s; expected at most 30 s"),
        (8000 * 30 + 3200, "got more than 30 s; expected at most 30 s"),
        (8000 * 30 + 4800, "got 31 s; expected at most 30 s"),
    ],
)
def test_a_length_beyond_a_limit_does_not_read_like_it(samples: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_recording(np.zeros(samples, np.float32), 8000, "clip")


@pytest.mark.parametrize(
    ("name", "minutes", "said"),
    [("a.wav", 120, "7,200"), ("a.flac", 120, "7,200"), ("a.ogg", 3, "180"), ("a.mp3", 3, "180")],
)
def test_two_hours_are_refused_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, minutes: int, said: str
) -> None:
    path, rate_hz = tmp_path / name, 8000
    with soundfile.SoundFile(path, "w", rate_hz, 1) as file:
        for _ in range(minutes):
            file.write(np.zeros(60 * rate_hz, np.float32))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("is read"))
    with pytest.raises(UserError, match=f"got {said} s; expected at most 30 s"):
        read_recording(path)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, 1.0), (np.float64, 1.0), (np.int16, 2.0**15), (np.int32, 2.0**31)],
)
def test_samples_of_every_kind_come_out_in_one_range(dtype: type, scale: float) -> None:
    recording = check_recording((tone() * scale).astype(dtype), RATE, "clip")
    np.testing.assert_allclose(recording.samples, tone(), atol=1e-4)


def test_what_exceeds_full_scale_is_turned_down() -> None:
    recording = check_recording(10 * tone(), RATE, "clip")
    np.testing.assert_allclose(recording.samples, tone() / 0.3, atol=1e-3)


def test_the_callers_samples_stay_as_they_are() -> None:
    samples = 10 * tone()
    check_recording(samples, RATE, "clip")
    np.testing.assert_array_equal(samples, 10 * tone())


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE, np.complex64),
        np.zeros(RATE, np.uint8),
        np.array(["a"] * RATE),
        np.zeros((RATE, 2, 2), np.float32),
        np.zeros((RATE, 0), np.float32),
        np.full(RATE, 1e300),
        np.zeros((), np.float32),
    ],
    ids=["complex", "uint8", "text", "3-d", "no channel", "beyond float32", "0-d"],
)
def test_samples_that_are_no_sound_are_refused(samples: npt.NDArray[np.generic]) -> None:
    with pytest.raises(UserError, match="recording 'clip'"):
        check_recording(samples, RATE, "clip")


def test_noise_is_taken() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) / 10
    assert len(check_recording(noise, RATE, "clip").samples) == RATE


@pytest.mark.parametrize("rate_hz", [22050.0, np.float64(22050), np.int64(22050)])
def test_a_whole_rate_is_an_integer_whatever_it_comes_as(rate_hz: float) -> None:
    recording = check_recording(tone(22050), rate_hz, "clip")
    assert (type(recording.rate_hz), recording.rate_hz) == (int, 22050)


@pytest.mark.parametrize(
    ("rate_hz", "said"),
    [
        (22050.5, "got 22050.5 samples a second; expected a whole number"),
        (np.nan, "got nan samples a second; expected a whole number"),
        (np.inf, "got inf samples a second; expected a whole number"),
        (100.0, "got 100 samples a second, not 4000 to 384000"),
    ],
)
def test_a_rate_that_is_none_of_sound_is_refused(rate_hz: float, said: str) -> None:
    with pytest.raises(UserError, match=f"^recording 'clip'; {said}$"):
        check_recording(tone(), rate_hz, "clip")
