from contextlib import nullcontext

import pytest
from pydantic import ValidationError

from s2igan.errors import UserError
from s2igan.speech.config import STEADY_VARIANTS, MelConfig, mel_conflicts
from s2igan.speech.mel import LogMel
from tests.speech.conftest import MakeTts


@pytest.mark.parametrize("variant", STEADY_VARIANTS)
def test_accepts_every_steady_variant(tts: MakeTts, variant: str) -> None:
    assert tts(voices=["en-us", f"en-us+{variant}"]).voices[1] == f"en-us+{variant}"


@pytest.mark.parametrize("voice", ["en-us+f2", "en-us+f3", "en-us+f5", "de+croak", "en-us+"])
def test_refuses_voices_that_may_change_and_names_those_that_do_not(
    tts: MakeTts, voice: str
) -> None:
    with pytest.raises(ValidationError, match="m1, m2, m3, m4, m5, m6, m7, m8, f1, f4"):
        tts(voices=["en-us", voice])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("engine", "say"),
        ("voices", []),
        ("rate_wpm", {"low": 79, "high": 100}),
        ("rate_wpm", {"low": 180, "high": 170}),
        ("pitch", {"low": 0, "high": 101}),
        ("recordings", {"trim_db": None, "keep_ms": 0.0, "level_dbfs": -100.0}),
        ("seed", 1.5),
        ("sample_rate_hz", 0),
    ],
)
def test_refuses_what_is_out_of_range(tts: MakeTts, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        tts(**{key: value})
    assert caught.value.errors()[0]["loc"][0] == key


@pytest.mark.parametrize("floor", [0.0, 1e-300, 1e20])
def test_refuses_a_logarithm_that_hears_nothing(mel: MelConfig, floor: float) -> None:
    with pytest.raises(ValidationError, match="log_floor"):
        MelConfig.model_validate(mel.model_dump() | {"log_floor": floor})


@pytest.mark.parametrize("rate_hz", [8000, 22050, 48000])
@pytest.mark.parametrize("bands", [8, 40, 128])
@pytest.mark.parametrize("window_ms", [1.0, 5.3, 10.0, 15.0, 25.0])
def test_a_front_end_is_refused_before_it_is_built(
    mel: MelConfig, rate_hz: int, bands: int, window_ms: float
) -> None:
    values = mel.model_dump() | {"bands": bands, "window_ms": window_ms}
    told = mel_conflicts(MelConfig.model_validate(values), rate_hz)
    with pytest.raises(UserError) if told else nullcontext():
        LogMel(sample_rate_hz=rate_hz, **values)


def test_a_hop_is_a_sample_at_least(mel: MelConfig) -> None:
    config = MelConfig.model_validate(mel.model_dump() | {"hop_ms": 0.01})
    (told,) = mel_conflicts(config, 22050)
    assert "features.mel.hop_ms: got 0.01" in told
