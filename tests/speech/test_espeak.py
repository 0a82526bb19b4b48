import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from s2igan.errors import UserError
from s2igan.speech import speaker
from s2igan.speech.audio import Pcm
from s2igan.speech.config import STEADY_VARIANTS
from s2igan.speech.espeak import say
from s2igan.speech.lines import Line, draw_line
from tests.speech.conftest import MakeTts

TEXTS = (
    "a small bird with a red crown and a white belly.",
    "this flower has long, thin petals that are yellow near the tip",
    "wing bars",
)


def _said(voice: str, texts: Sequence[str] = TEXTS) -> list[Pcm]:
    lines = [Line(voice, 170, 50, text) for text in texts]
    return [pcm for pcm, _ in say(lines, [f"line {row}" for row in range(len(lines))])]


@pytest.mark.parametrize(
    "voice", ["en-us", "id", "id+f4", *(f"en-us+{variant}" for variant in STEADY_VARIANTS)]
)
def test_two_processes_say_the_same(voice: str) -> None:
    for first, second in zip(_said(voice), _said(voice), strict=True):
        np.testing.assert_array_equal(first, second)


def test_variants_are_different_voices() -> None:
    spoken = {
        voice: b"".join(pcm.tobytes() for pcm in _said(voice, TEXTS[2:]))
        for voice in ("en-us", "en-us+m1", "en-us+f4", "de")
    }
    assert len(set(spoken.values())) == len(spoken)


def test_speaks_at_22050_hz_about_as_fast_as_told() -> None:
    text = "one two three four five six seven eight nine ten"
    (slow, rate_hz), (fast, _) = say(
        [Line("en-us", 120, 50, text), Line("en-us", 240, 50, text)], ["slow", "fast"]
    )
    assert rate_hz == 22050
    assert 10 / (len(slow) / rate_hz) * 60 == pytest.approx(120, rel=0.25)
    assert len(slow) / len(fast) == pytest.approx(2, rel=0.25)


def test_pitch_is_heard() -> None:
    low, high = (
        pcm for pcm, _ in say([Line("en-us", 170, p, "aaah") for p in (10, 90)], ["low", "high"])
    )
    assert _fundamental_hz(high) > 1.3 * _fundamental_hz(low)


def _fundamental_hz(pcm: Pcm) -> float:
    middle = pcm[len(pcm) // 2 - 1024 : len(pcm) // 2 + 1024].astype(float)
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    shortest, longest = 22050 // 400, 22050 // 50
    return 22050 / (shortest + int(correlation[shortest:longest].argmax()))


def test_a_voice_that_the_library_refuses_is_an_error() -> None:
    with pytest.raises(UserError, match=r"tts\.voices or tts\.test_voices; got xx-nowhere"):
        _said("xx-nowhere")


def test_a_text_without_a_sound_is_named() -> None:
    with pytest.raises(UserError, match=r"line 1.*says nothing"):
        _said("en-us", ["a bird", " ", "a wing"])


def test_a_library_that_does_not_start_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"no library")
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(broken))
    with pytest.raises(UserError, match=r"its start; got exit code 1, OSError: .*libespeak-ng"):
        _said("en-us")


def test_a_missing_wheel_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"install `s2igan\[voice\]`, or `s2igan\[pipeline\]`"):
        _said("en-us")


def test_the_speaker_starts_without_any_package() -> None:
    source = Path(speaker.__file__).read_text("utf-8")
    imported = {line.split()[1] for line in source.splitlines() if line[:5] in ("impor", "from ")}
    assert imported <= set(sys.stdlib_module_names)


def test_lines_are_drawn_by_seed_and_utterance_alone(tts: MakeTts) -> None:
    config = tts()
    lines = [draw_line(config, utterance, "text") for utterance in range(400)]
    assert lines[7] == draw_line(config, 7, "text")
    assert lines != [draw_line(tts(seed=4), utterance, "text") for utterance in range(400)]
    assert {line.rate_wpm for line in lines} == set(range(150, 191))
    assert {line.pitch for line in lines} == set(range(40, 61))
    shares = [line.voice == "en-us" for line in lines]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_test_classes_speak_with_voices_of_their_own(tts: MakeTts) -> None:
    config = tts(test_voices=["en-us+f4", "en-us+m5"])
    lines = {
        split: [draw_line(config, utterance, "text", split) for utterance in range(200)]
        for split in ("train", "val", "test")
    }
    voices = {split: {line.voice for line in drawn} for split, drawn in lines.items()}
    assert voices["train"] == voices["val"] == {"en-us", "en-us+m3"}
    assert voices["test"] == {"en-us+f4", "en-us+m5"}
    assert [line.pitch for line in lines["test"]] == [line.pitch for line in lines["train"]]
