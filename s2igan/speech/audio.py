"""Audio between bytes and samples: decoding, mono, resampling, 16 bits, FLAC."""

import os
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import soundfile

from s2igan.engine.sound import ForwardSound, rate_problem, undecoded, unnamed_file
from s2igan.errors import UserError

Samples = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]

# libFLAC's own default, as soundfile counts from 0 (fastest) to 1 (smallest).
_FLAC_COMPRESSION = 0.625

# Of two rates in lowest terms; exact for every usual pair, within 0.04 % for any. The window of an
# unusual pair would fill gigabytes.
_LARGEST_TERM = 2560


def decode_audio(data: bytes, name: str) -> tuple[Samples, int]:
    """Decode a recording and mix its channels to mono.

    Args:
        data: bytes of a WAV, FLAC, OGG or MP3 file, or any other that libsndfile reads.
        name: how an error names the recording.

    Returns:
        Samples, ``(n,)`` float32 of full scale 1, which files of floats and MP3 may exceed, and
        their rate in Hz.

    Raises:
        UserError: if the bytes are not audio, hold no sample, a sample is not a number, or the rate
            is none of sound.
    """
    try:
        with unnamed_file(data) as opened, ForwardSound(opened.fileno(), closefd=False) as file:
            rate_hz = int(file.samplerate)
            blocks = [block.mean(axis=1) for block in file.forward()]  # (n, channels) -> (n,)
    except soundfile.LibsndfileError as error:
        raise bad_recording(name, undecoded(data, error)) from error
    if not blocks:
        raise bad_recording(name, "a file without a sample")
    samples: Samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise bad_recording(name, "samples that are not numbers")
    if problem := rate_problem(rate_hz):
        raise bad_recording(name, problem)
    return samples, rate_hz


def resample(samples: Samples, rate_hz: int, target_hz: int) -> Samples:
    """Bring ``(n,)`` float32 samples to another rate, ``(ceil(n * target / rate),)`` float32.

    A windowed sinc, Kaiser with the width of resampy's ``kaiser_best``. Of an unusual pair of
    rates the ratio, and with it the length, is nearly kept. Of equal rates ``samples`` itself comes
    back.
    """
    low, high = sorted((rate_hz, target_hz))
    ratio = Fraction(low, high).limit_denominator(_LARGEST_TERM)
    if ratio == 1:
        return samples
    rate, target = ratio.as_integer_ratio()
    if rate_hz > target_hz:
        rate, target = target, rate
    # Loading torch takes seconds, and audio at the right rate needs none of it.
    import torch
    from torchaudio.functional import resample as sinc_resample

    resampled = sinc_resample(
        torch.from_numpy(samples),
        rate,
        target,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    )
    array: Samples = resampled.numpy()
    return array


def to_pcm(samples: Samples) -> Pcm:
    """Round samples in [-1, 1] to 16 bits; what lies outside is clipped."""
    pcm: Pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    return pcm


def from_pcm(pcm: Pcm) -> Samples:
    """Scale 16-bit samples to [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(32768.0)


def encode_flac(pcm: Pcm, rate_hz: int) -> bytes:
    """Encode ``(n,)`` int16 mono samples; same samples, same bytes."""
    with unnamed_file() as file:
        # By a number of its own: to whatever else had this one by then, a late close would write.
        soundfile.write(
            os.dup(file.fileno()),
            pcm,
            rate_hz,
            format="FLAC",
            subtype="PCM_16",
            compression_level=_FLAC_COMPRESSION,
        )
        file.seek(0)
        return file.read()


def bad_recording(name: str, got: str) -> UserError:
    """Return the error of a recording that cannot be used, of which ``got`` was found."""
    return UserError(
        f"recording of {name}",
        got=got,
        expected="a WAV, FLAC, OGG or MP3 file with speech in it",
        fix="replace the recording or take the description out of the corpus",
    )
