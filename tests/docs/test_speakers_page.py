"""The parameters of docs/speakers.md, and what they have a program say."""

import re
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from s2igan.config import read_params
from s2igan.engine.strict_yaml import parse_yaml
from s2igan.speech.config import TtsConfig
from s2igan.speech.lines import Line
from s2igan.speech.programs import speak_line

ROOT = Path(__file__).parents[2]


def config_of_the_page() -> TtsConfig:
    page = (ROOT / "docs/speakers.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    shown: Any = parse_yaml(block)
    default = read_params(ROOT / "params.yaml").tts.model_dump()
    return TtsConfig.model_validate({**default, **shown["tts"]})


def test_its_parameters_are_parameters() -> None:
    assert {"flite/rms", "festival/ked_diphone"} < set(config_of_the_page().voices)


@pytest.mark.skipif(which("flite") is None, reason="no program flite on this machine")
def test_flite_speaks_at_the_rate_that_is_drawn() -> None:
    config = config_of_the_page()
    text = 'it\'s a "small" $RED bird; {with} `blue` wings, and a long tail'
    usual, slow = (
        len(speak_line(config, Line("flite/rms", rate, 50, text), "a sentence"))
        for rate in (170, 150)
    )
    assert 2 < usual / config.sample_rate_hz < 6
    assert slow == pytest.approx(usual * 170 / 150, rel=0.05)
