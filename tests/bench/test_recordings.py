"""Another program speaks for bench.recordings."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.recordings import check_same_sen, spoken_by
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


def test_a_model_of_other_artifacts_is_refused() -> None:
    own = np.eye(8, dtype=np.float32)
    check_same_sen(own, own + np.float32(1e-4))
    for other in (np.roll(own, 1, axis=0), np.ones((8, 4), np.float32)):
        with pytest.raises(UserError, match=r"--model; got another SEN .*cosine 0\.00"):
            check_same_sen(own, other)
