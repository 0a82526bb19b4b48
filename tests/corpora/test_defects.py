from pathlib import Path

import pytest

from s2igan.corpora.defects import Defects
from s2igan.errors import UserError, leave


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
    for letter in "abcdefghijklmnopqrst":
        defects.add(f"line 8: no such recording as a bird {letter}.wav")
        defects.add(f"bird {letter}.txt: more than one line")
    defects.add("line 9: no image")
    defects.add_picture("a\udcff.jpg", "an empty file")  # a name that is no UTF-8
    message, path = told(defects), tmp_path / ".s2igan" / "defects.txt"
    assert message == (
        f"folder 'x': 5041 defects, listed in {str(path)!r}; "
        "got line 0: no such recording as clip_0.wav; line 1: no such recording as clip_1.wav; "
        "line 2: no such recording as clip_2.wav; bird a.txt: more than one line; "
        "bird b.txt: more than one line; bird c.txt: more than one line; line 9: no image; "
        "left out: a\udcff.jpg: an empty file; and 5034 more; mend index.csv"
    )
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 5042
    assert lines[4999] == "line 4999: no such recording as clip_4999.wav"
    assert lines[-1] == "left out: a\\udcff.jpg: an empty file"


def test_of_many_kinds_the_first_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    defects = Defects("folder 'x'", "mend index.csv")
    for letter in "abcdefghijklmnopqrstuvwxyz":
        defects.add(f"line 1: {letter} is wrong")
    assert told(defects).endswith("; line 1: t is wrong; and 6 more; mend index.csv")


def test_a_few_that_fill_more_than_a_terminal_stand_in_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    defects = Defects("folder 'x'", "mend index.csv")
    for line in range(20):
        defects.add(f"{'deep/' * 60}{line}.jpg: an empty file")
    leave("download", told(defects))
    said = capsys.readouterr().err
    assert said.endswith("deep/2.jpg: an empty file; and 17 more; mend index.csv\n")
    assert "letters)" not in said
    assert len((tmp_path / ".s2igan" / "defects.txt").read_text("utf-8").splitlines()) == 20


@pytest.mark.parametrize("in_its_place", ["a full disk", "a folder"])
def test_defects_are_told_where_they_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_its_place: str
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    path = tmp_path / ".s2igan" / "defects.txt"
    path.parent.mkdir()
    if in_its_place == "a folder":
        path.mkdir()
    elif Path("/dev/full").exists():
        path.symlink_to("/dev/full")
    else:
        pytest.skip("no /dev/full on this system")
    defects = Defects("folder 'x'", "mend index.csv")
    for line in range(21):
        defects.add(f"line {line}: no image")
    message = told(defects)
    assert message.startswith(f"folder 'x': 21 defects, not listed in {str(path)!r} (")
    assert message.endswith(
        "; got line 0: no image; line 1: no image; line 2: no image; and 18 more; mend index.csv"
    )
