import json
from pathlib import Path

import pytest

from s2igan.errors import UserError
from s2igan.serving.examples import FOLDER, Example, find_examples


def write(model: Path, listed: object, *clips: str) -> None:
    folder = model / FOLDER
    folder.mkdir()
    (folder / "examples.json").write_text(json.dumps(listed))
    for clip in clips:
        (folder / clip).touch()


def test_clips_of_the_model_come_first(tmp_path: Path) -> None:
    write(tmp_path, {"red.flac": "A red bird."}, "red.flac")
    expected = [Example("A red bird.", tmp_path / FOLDER / "red.flac")]
    assert find_examples(tmp_path, birds=True, can_speak=True) == expected


def test_sentences_need_a_voice_and_a_model_of_birds(tmp_path: Path) -> None:
    assert all(clip is None for _, clip in find_examples(tmp_path, birds=True, can_speak=True))
    assert find_examples(tmp_path, birds=True, can_speak=True)
    assert find_examples(tmp_path, birds=True, can_speak=False) == []
    assert find_examples(tmp_path, birds=False, can_speak=True) == []


@pytest.mark.parametrize("listed", [{"absent.flac": "A bird."}, ["red.flac"]])
def test_a_broken_list_is_told(tmp_path: Path, listed: object) -> None:
    write(tmp_path, listed)
    with pytest.raises(UserError, match="example"):
        find_examples(tmp_path, birds=True, can_speak=True)
