import json
from pathlib import Path

import pytest
import soundfile

from s2igan.errors import UserError
from s2igan.serving.examples import FILE, Example, find_examples, write_examples
from tests.corpora.makers import clip as tone
from tests.serving.makers import TTS

BIRDS = {"corpus": {"kind": "minibirds"}, "tts": TTS}
FLOWERS = {"corpus": {"kind": "oxford102"}}


def test_clips_of_the_model_come_first(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"red.flac": "A red bird."}')
    (tmp_path / "red.flac").touch()
    expected = [Example("A red bird.", tmp_path / "red.flac")]
    assert find_examples(tmp_path, BIRDS, can_speak=True) == expected


def test_sentences_need_a_voice_and_a_model_of_birds(tmp_path: Path) -> None:
    sentences = find_examples(tmp_path, BIRDS, can_speak=True)
    assert sentences
    assert all(clip is None for _, clip in sentences)
    assert find_examples(tmp_path, BIRDS, can_speak=False) == []
    assert find_examples(tmp_path, FLOWERS, can_speak=True) == []


def test_birds_described_in_indonesian_are_asked_for_in_it(tmp_path: Path) -> None:
    card = {"corpus": {"kind": "minibirds", "minibirds": {"language": "indonesian"}}}
    first, *_ = find_examples(tmp_path, card, can_speak=True)
    assert "mahkota merah" in first.text


def test_written_clips_say_the_sentences_and_are_written_alike(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="no espeak-ng to speak the examples")
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
        write_examples(folder, tmp_path, BIRDS, can_speak=True)
    spoken, again = (find_examples(folder, BIRDS, can_speak=False) for folder in folders)
    sentences = find_examples(tmp_path, BIRDS, can_speak=True)
    assert [example.text for example in spoken] == [example.text for example in sentences]
    for (_, clip), (_, same) in zip(spoken, again, strict=True):
        assert clip is not None
        assert same is not None
        assert clip.read_bytes() == same.read_bytes()
        assert 1.5 < soundfile.info(clip).duration < 6
        assert clip.stat().st_size < 150_000


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A model with a clip, and an empty folder to export it to."""
    source, export = tmp_path / "source", tmp_path / "export"
    source.mkdir()
    export.mkdir()
    (source / FILE).write_text('{"red.flac": "A red bird."}')
    (source / "red.flac").write_bytes(tone(300, format="FLAC"))
    return source, export


def test_an_export_keeps_the_clips_of_its_model(folders: tuple[Path, Path]) -> None:
    source, export = folders
    write_examples(export, source, FLOWERS, can_speak=False)
    assert find_examples(export, FLOWERS, can_speak=False) == [
        Example("A red bird.", export / "red.flac")
    ]
    assert (export / "red.flac").read_bytes() == (source / "red.flac").read_bytes()


@pytest.mark.parametrize(
    ("kept", "got"), [(0, "an empty file"), (400, "400 bytes that do not decode")]
)
def test_an_export_tells_of_a_broken_clip(folders: tuple[Path, Path], kept: int, got: str) -> None:
    source, export = folders
    (source / "red.flac").write_bytes((source / "red.flac").read_bytes()[:kept])
    with pytest.raises(UserError, match=rf"example '.*red\.flac'; got {got}"):
        write_examples(export, source, FLOWERS, can_speak=False)
    assert list(export.iterdir()) == []


def test_of_another_corpus_nothing_is_said(tmp_path: Path) -> None:
    write_examples(tmp_path, tmp_path, FLOWERS, can_speak=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listed", ['{"absent.flac": "A bird."}', '["red.flac"]', "[" * 200_000])
def test_a_broken_list_is_told(tmp_path: Path, listed: str) -> None:
    (tmp_path / FILE).write_text(listed)
    with pytest.raises(UserError, match="example"):
        find_examples(tmp_path, BIRDS, can_speak=True)


@pytest.mark.parametrize("name", ["../secret.flac", "{}/secret.flac", "card.json", "", ".flac/"])
def test_a_clip_lies_beside_its_list(tmp_path: Path, name: str) -> None:
    source, export = tmp_path / "source", tmp_path / "export"
    source.mkdir()
    export.mkdir()
    (tmp_path / "secret.flac").write_bytes(b"mine")
    (source / "card.json").write_text("{}")
    (source / FILE).write_text(json.dumps({name.format(tmp_path): "A bird."}))
    with pytest.raises(UserError, match="got the clip"):
        write_examples(export, source, FLOWERS, can_speak=False)
    assert list(export.iterdir()) == []
