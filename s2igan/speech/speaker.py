"""A script that speaks with espeak-ng: utterances on stdin, 16-bit audio on stdout.

It is run by its path, by one freshly started process per shard, and imports nothing but the
standard library and the wheel that carries espeak-ng: what espeak-ng says depends on what the same
process said before, and a process that starts in some 30 ms costs nothing beside 512 sentences.
:mod:`s2igan.speech.espeak` starts it and knows what the numbers mean.

stdin: one JSON list of ``[voice, words per minute, pitch, text]``. stdout, little-endian: the
sample rate as int32, then for every utterance its number of samples as int32 and the samples as
int16; :data:`REFUSED_VOICE` instead of a number of samples ends the output.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

REFUSED_VOICE = -1

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE, _PITCH = 1, 3
_BY_CHARACTER = 1
_UTF8 = 1
_OK = 0

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Speaker:
    """espeak-ng's library in this process.

    Args:
        library: path of the shared library.
        data: path of its folder ``espeak-ng-data``.

    Raises:
        OSError: if the library does not load or does not find its data.
    """

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._voice = ""
        self._chunks: list[bytes] = []
        self._callback = _CALLBACK(self._take)
        # The library keeps the path in 160 bytes and cuts a longer one: name it from where it is.
        os.chdir(Path(data).parent)
        self.rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DONT_EXIT)
        if self.rate_hz <= 0:
            raise OSError(f"espeak-ng does not start with the data in {data}")
        self._library.espeak_SetSynthCallback(self._callback)

    def choose(self, voice: str, rate_wpm: int, pitch: int) -> bool:
        """Take a voice; ``False`` if the library refuses it (it would keep the one before)."""
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
                return False
            self._voice = voice
        self._library.espeak_SetParameter(_RATE, rate_wpm, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        return True

    def say(self, text: str) -> bytes:
        """Return the int16 samples of ``text``, no bytes if it says nothing."""
        self._chunks.clear()
        encoded = text.encode() + b"\0"
        status = self._library.espeak_Synth(
            encoded, len(encoded), 0, _BY_CHARACTER, 0, _UTF8, None, None
        )
        if status != _OK:
            raise OSError(f"espeak_Synth ended with status {status}")
        return b"".join(self._chunks)

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: int | None) -> int:
        if samples and count:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0


def speak(library: str, data: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Say every utterance of ``source`` into ``sink``, in order."""
    utterances = json.load(source)
    speaker = Speaker(library, data)
    sink.write(struct.pack("<i", speaker.rate_hz))
    for voice, rate_wpm, pitch, text in utterances:
        if not speaker.choose(voice, rate_wpm, pitch):
            sink.write(struct.pack("<i", REFUSED_VOICE))
            return
        audio = speaker.say(text)
        sink.write(struct.pack("<i", len(audio) // 2))
        sink.write(audio)


if __name__ == "__main__":
    speak(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
