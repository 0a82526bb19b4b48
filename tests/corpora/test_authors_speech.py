from collections.abc import Callable
from pathlib import Path

import pytest

from s2igan.config import combination_problems, read_params
from s2igan.corpora.config import CorpusConfig, conflicts
from s2igan.errors import UserError

from .makers import Flowers, build_flowers, clip, recording_bytes


def said(number: int, position: int) -> bytes:
    return clip(100 * number + 10 * position)


def test_every_caption_gets_its_recording_in_the_order_of_the_archive(tmp_path: Path) -> None:
    corpus = build_flowers(tmp_path, authors_speech=True)
    descriptions = corpus.descriptions
    assert descriptions["text"].notna().all()
    heard = [recording_bytes(corpus, row) for row in descriptions["recording"]]
    assert heard == [
        said(image + 1, position)
        for image, position in zip(descriptions["image"], descriptions["position"], strict=True)
    ]
    # The archive holds the second caption of each picture first, and one for the dropped caption.
    assert descriptions["recording"].tolist()[:4] == [1, 0, 3, 2]
    assert sorted(descriptions["recording"]) == [*range(19)]


def test_without_the_authors_speech_nothing_is_heard(tmp_path: Path) -> None:
    build_flowers(tmp_path)
    assert not (tmp_path / "corpus" / "recordings.npy").exists()


def counted_from_one(recordings: dict[str, bytes]) -> None:
    for name in [*recordings]:
        folder, _, take = name.removesuffix(".wav").rpartition("/")
        recordings[f"{folder}/{int(take) + 10}.wav"] = recordings.pop(name)
    for name in [*recordings]:
        folder, _, take = name.removesuffix(".wav").rpartition("/")
        recordings[f"{folder}/{int(take) - 9}.wav"] = recordings.pop(name)


def named_after_the_picture(recordings: dict[str, bytes]) -> None:
    for name in [*recordings]:
        folder, _, take = name.rpartition("/")
        recordings[f"{folder}/{folder[-11:]}_sentence{take}"] = recordings.pop(name)


def beside_each_other(recordings: dict[str, bytes]) -> None:
    for name in [*recordings]:
        folder, _, take = name.rpartition("/")
        recordings[f"{folder}_{take}"] = recordings.pop(name)


def with_leftovers(recordings: dict[str, bytes]) -> None:
    recordings["oxford_audio/audio/class_00003/image_00001/._0.wav"] = b"\0"
    recordings["oxford_audio/audio/class_00003/readme.txt"] = b"flowers"


QUIRK = "oxford_audio/audio/class_00005/image_00008/1.wav"


def quirk_without_a_recording(recordings: dict[str, bytes]) -> None:
    del recordings[QUIRK]


def silent_quirk(recordings: dict[str, bytes]) -> None:
    recordings[QUIRK] = clip(0)


def short_quirk(recordings: dict[str, bytes]) -> None:
    recordings[QUIRK] = clip(100, seconds=0.02)


@pytest.mark.parametrize(
    "change",
    [
        counted_from_one,
        named_after_the_picture,
        beside_each_other,
        with_leftovers,
        quirk_without_a_recording,
        silent_quirk,
        short_quirk,
    ],
)
def test_names_of_recordings_are_read_leniently(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    flowers = Flowers()
    change(flowers.recordings)
    corpus = build_flowers(tmp_path, flowers, authors_speech=True)
    rows = corpus.descriptions["recording"]
    assert sorted(rows) == [*range(19)]
    assert recording_bytes(corpus, rows[0]) == said(1, 0)
    assert recording_bytes(corpus, rows[18]) == said(10, 1)


AT = "oxford_audio/audio/class_00001/image_00002"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({f"{AT}/1.wav": None}, "image_00002.jpg: no recording of caption 1"),
        ({f"{AT}/2.wav": said(2, 2)}, "image_00002.jpg: a recording of no caption (2)"),
        ({f"{AT}_1.wav": said(2, 2)}, "image_00002.jpg: caption 1 recorded twice"),
        ({f"{AT}/1.wav": b""}, "image_00002.jpg: recording 1: an empty file"),
        ({f"{AT}/1.wav": b"RIFF"}, "image_00002.jpg: recording 1: 4 bytes that do not decode"),
        ({f"{AT}/1.wav": clip(100, seconds=0)}, "image_00002.jpg: recording 1: no sample"),
        ({f"{AT}/1.wav": clip(100, seconds=0.02)}, "image_00002.jpg: recording 1: 20 ms of sound"),
        ({f"{AT}/1.wav": clip(0)}, "image_00002.jpg: recording 1: nothing but silence"),
    ],
)
def test_a_defect_of_the_speech_stops_or_leaves_its_picture_out(
    tmp_path: Path, change: dict[str, bytes | None], reason: str
) -> None:
    flowers = Flowers()
    flowers.add(label=1)
    flowers.counts |= {"train_images": 6, "test_images": 5, "test_utterances": 10}
    for take in range(2):
        flowers.recordings[f"audio/class_00001/image_00011/{take}.wav"] = said(11, take)
    for name, content in change.items():
        flowers.recordings.pop(name, None)
        if content is not None:
            flowers.recordings[name] = content
    with pytest.raises(UserError, match="1 defect;") as error:
        build_flowers(tmp_path, flowers, authors_speech=True)
    assert reason in str(error.value)
    corpus = build_flowers(tmp_path, flowers, authors_speech=True, on_broken="skip")
    assert f"image_00002.jpg: {corpus.info['skipped']['image_00002.jpg']}".startswith(reason)
    rows = corpus.descriptions["recording"]
    assert sorted(rows) == [*range(19)]
    assert recording_bytes(corpus, rows[2]) == said(3, 0)


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [
        ({"audio/class_00005/image_00002/0.wav": b"x"}, "recordings class_00005/image_00002: 1 of"),
        (None, "speech.tar.gz: no recordings inside"),
    ],
)
def test_recordings_of_something_else_always_stop(
    tmp_path: Path, recordings: dict[str, bytes] | None, reason: str
) -> None:
    flowers = Flowers()
    if recordings is None:
        flowers.recordings = {"readme.txt": b"moved"}
    else:
        flowers.recordings |= recordings
    with pytest.raises(UserError) as error:
        build_flowers(tmp_path, flowers, authors_speech=True, on_broken="skip")
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("kind", "edition", "fits"),
    [
        ("oxford102", "published", True),
        ("oxford102", "304px", True),
        ("cub", "published", False),
        ("minibirds", "drawn", False),
        ("recorded", "field_notes", False),
    ],
)
def test_only_the_flowers_have_the_authors_speech(
    repository: Path, kind: str, edition: str, fits: bool
) -> None:
    drawn = read_params(repository / "params.yaml").corpus.model_dump()
    named = {**drawn, "kind": kind, "edition": edition}
    told = conflicts(CorpusConfig.model_validate({**named, "authors_speech": True}))
    assert bool(told) == (not fits)
    assert all("corpus.authors_speech: got true" in line for line in told)
    assert not conflicts(CorpusConfig.model_validate({**named, "authors_speech": False}))


@pytest.mark.parametrize(
    ("engine", "authors_speech", "fits"),
    [
        ("recorded", True, True),
        ("espeak", False, True),
        ("tacotron2", False, True),
        ("espeak", True, False),
        ("tacotron2", True, False),
        ("recorded", False, False),
    ],
)
def test_the_authors_speech_and_the_engine_recorded_go_together(
    repository: Path, engine: str, authors_speech: bool, fits: bool
) -> None:
    params = read_params(repository / "presets" / "oxford102-cpu.yaml")
    corpus = params.corpus.model_copy(update={"authors_speech": authors_speech})
    tts = params.tts.model_copy(update={"engine": engine})
    told = combination_problems(params.model_copy(update={"corpus": corpus, "tts": tts}))
    assert bool(told) == (not fits)
    assert all(f"tts.engine: got {engine!r}" in line for line in told)
