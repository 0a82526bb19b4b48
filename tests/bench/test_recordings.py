"""Another program speaks for bench.recordings."""

import shlex
import sys
from pathlib import Path

import pytest

from bench.recordings import spoken_by
from s2igan.errors import UserError

# As long as the sentence has letters, in hundredths of a second.
PROGRAM = """
import sys, numpy, soundfile
voice, text, file = sys.argv[1:]
assert voice == "slt"
soundfile.write(file, numpy.resize([0.5, -0.5], 80 * len(text)), 8000)
"""


def test_a_program_speaks_a_sentence_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "speak.py").write_text(PROGRAM)
    say = shlex.join([sys.executable, str(tmp_path / "speak.py")]) + " {voice} {text} {file}"
    said = spoken_by(say, "slt", "a small 'red' bird; {blue}")
    assert said.rate_hz == 8000
    assert len(said.samples) == 80 * 26


@pytest.mark.parametrize("say", ["no-such-program {text}", "false", "true"])
def test_one_that_says_nothing_is_told(say: str) -> None:
    with pytest.raises(UserError, match=r"got .*; expected a WAV"):
        spoken_by(say, "slt", "a bird")
