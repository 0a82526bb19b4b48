from pathlib import Path

import pytest

from s2igan.corpora.defects import Defects
from s2igan.errors import UserError


def told(defects: Defects) -> str:
    with pytest.raises(UserError) as caught:
        defects.raise_any()
    return str(caught.value)


def test_a_few_defects_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    defects = Defects("folder 'x'", "mend index.csv")
    for line in range(20):
        defects.add(f"line {line}: no image")
    message = told(defects)
    assert message.startswith("folder 'x': 20 defects; got line 0: no image; line 1: no image; ")
    assert message.endswith("; line 19: no image; mend index.csv")
    assert not any(tmp_path.iterdir())


def test_of_thousands_some_of_each_kind_are_told_and_all_stand_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    defects = Defects("folder 'x'", "mend index.csv", on_broken="skip")
    for line in range(5000):
        defects.add(f"line {line}: no such recording as clip_{line}.wav")
    defects.add("line 9: no image")
    for letter in "abcdefghijklmnopqrst":
        defects.add(f"line 8: no such recording as {letter}.wav")
    defects.add_picture("a\udcff.jpg", "an empty file")  # a name that is no UTF-8
    message, path = told(defects), tmp_path / ".s2igan" / "defects.txt"
    assert message.startswith(
        f"folder 'x': 5021 defects, listed in {str(path)!r}; "
        "got line 0: no such recording as clip_0.wav; line 1: no such recording as clip_1.wav; "
        "line 2: no such recording as clip_2.wav; line 9: no image; line 8: "
    )
    assert message.endswith("line 8: no such recording as p.wav; and 5002 more; mend index.csv")
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 5022
    assert lines[4999] == "line 4999: no such recording as clip_4999.wav"
    assert lines[-1] == "left out: a\\udcff.jpg: an empty file"
