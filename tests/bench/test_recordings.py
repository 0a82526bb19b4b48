"""Another program speaks for bench.recordings."""

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.recordings import ColourJudge, check_same_sen, main, spoken_by
from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, VALUES
from s2igan.corpora.minibirds.painter import draw
from s2igan.errors import UserError

# Half a second of a square wave at 8 kHz.
PROGRAM = """
import sys, numpy, soundfile
assert sys.argv[1:3] == ["slt", "a bird"]
soundfile.write(sys.argv[3], numpy.resize([0.5, -0.5], 4000), 8000)
"""


def test_a_program_speaks_a_sentence_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "speak.py").write_text(PROGRAM)
    say = shlex.join([sys.executable, str(tmp_path / "speak.py")]) + " {voice} {text} {file}"
    said = spoken_by(say, "slt", "a bird")
    assert (said.rate_hz, len(said.samples)) == (8000, 4000)


def test_one_that_says_nothing_is_told() -> None:
    with pytest.raises(
        UserError, match=r"voice --say/slt at 'a bird'; got .*; expected a recording"
    ):
        spoken_by("true {text} {file}", "slt", "a bird")


@pytest.mark.parametrize("say", ["", "sh -c ${1#a} {text} {file}", "say {text} {file} {pitch}"])
def test_a_command_that_cannot_be_filled_in_is_told_at_once(
    say: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["recordings", "--say", say, "--voices", "slt"])
    with pytest.raises(SystemExit, match="2"):
        main()
    out, err = capsys.readouterr()
    assert not out
    assert f"--say {say!r}: expected a command line with {{text}} and {{file}}" in err


def test_a_model_of_other_artifacts_is_refused() -> None:
    own = np.eye(8, dtype=np.float32)
    check_same_sen(own, own + np.float32(1e-4))
    for other in (np.roll(own, 1, axis=0), np.ones((8, 4), np.float32)):
        with pytest.raises(UserError, match=r"--model; got another SEN .*cosine 0\.00"):
            check_same_sen(own, other)


def test_the_colours_that_a_sentence_mentions_are_counted() -> None:
    rng = np.random.default_rng(0)
    birds = [{name: str(rng.choice(VALUES[name])) for name in ATTRIBUTES} for _ in range(12)]
    other = {"belly": "red" if birds[0]["belly"] == "blue" else "blue"}
    corpus: Any = SimpleNamespace(
        images=pd.DataFrame(birds),
        descriptions=pd.DataFrame(
            {"image": range(12), "mentions": [COLOUR_PARTS] * 11 + [("size",)]}
        ),
    )

    def painted(changed: dict[int, dict[str, str]]) -> np.ndarray:
        return np.stack(
            [
                [draw({**bird, **changed.get(row, {})}, rng, 64) for _ in range(3)]
                for row, bird in enumerate(birds)
            ]
        )

    judge = ColourJudge(corpus, np.arange(12))
    assert judge(painted({})) == 1
    assert judge(painted({0: other})) == pytest.approx(1 - 1 / 55)
    # Nothing was said of the colours of the last bird.
    assert judge(painted({11: dict.fromkeys(COLOUR_PARTS, "red")})) == 1
