import pytest
from pydantic import ValidationError

from s2igan.speech.config import STEADY_VARIANTS, MelConfig
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
        ("seed", 1.5),
        ("sample_rate_hz", 0),
    ],
)
def test_refuses_what_is_out_of_range(tts: MakeTts, key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        tts(**{key: value})
    assert caught.value.errors()[0]["loc"][0] == key


def test_refuses_a_logarithm_without_a_floor(mel: MelConfig) -> None:
    with pytest.raises(ValidationError, match="log_floor"):
        MelConfig.model_validate(mel.model_dump() | {"log_floor": 0.0})
