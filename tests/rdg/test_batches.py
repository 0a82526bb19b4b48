from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from s2igan.engine.ahead import made_ahead
from s2igan.engine.arrays import open_array
from s2igan.errors import UserError
from s2igan.rdg import speech_source
from s2igan.rdg.batches import BatchStream, TrainingPictures
from s2igan.rdg.speech_source import EmbeddedSpeech
from s2igan.vision.pixels import PackedPixels
from tests.rdg.makers import (
    CAPTIONS,
    CLASSES,
    EMBEDDING_DIM,
    VIEWS,
    corpus_tables,
    write_inputs,
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture
def pictures() -> TrainingPictures:
    return TrainingPictures(*corpus_tables())


def stream(inputs: dict[str, Path], **changes: Any) -> BatchStream:
    options = {
        "seed": 1,
        "batch_size": 4,
        "crop": 32,
        "noise_dim": 3,
        "condition_dim": 2,
        "wrong_pictures": True,
        "wrong_speech": True,
        "embedding_mix": 0.0,
    }
    return BatchStream(
        TrainingPictures(*corpus_tables()),
        PackedPixels(inputs["features"]),
        EmbeddedSpeech(open_array(inputs["embeddings"] / "speech.npy")),
        open_array(inputs["embeddings"] / "image.npy"),
        **{**options, **changes},
    )


def embeddings(batches: BatchStream) -> Any:
    assert isinstance(batches.speech, EmbeddedSpeech)
    return batches.speech.embeddings


def test_only_training_pictures_take_part(pictures: TrainingPictures) -> None:
    assert sorted(pictures.images) == [row for row, number in enumerate(CLASSES) if number <= 2]
    assert [CLASSES[row] for row in pictures.images] == sorted(pictures.classes)


def test_captions_are_the_pictures_own_and_no_swap(pictures: TrainingPictures) -> None:
    rng = np.random.default_rng(0)
    chosen = np.tile(np.arange(len(pictures)), 20)
    drawn = pictures.utterances(chosen, rng)
    np.testing.assert_array_equal(drawn // CAPTIONS, pictures.images[chosen])
    assert set(drawn) == {
        row * CAPTIONS + position for row in pictures.images for position in range(CAPTIONS)
    }
    first = pictures.first_utterances(np.arange(len(pictures)))
    np.testing.assert_array_equal(first, pictures.images * CAPTIONS)


def test_other_class_is_uniform_over_the_other_classes(pictures: TrainingPictures) -> None:
    rng = np.random.default_rng(0)
    for position in range(len(pictures)):
        drawn = pictures.other_class(np.full(2000, position), rng)
        others = np.flatnonzero(pictures.classes != pictures.classes[position])
        counts = np.bincount(drawn, minlength=len(pictures))
        assert set(np.flatnonzero(counts)) == set(others)
        assert counts[others].min() > 0.7 * 2000 / len(others)


def test_same_class_is_another_picture_where_there_is_one(pictures: TrainingPictures) -> None:
    rng = np.random.default_rng(0)
    for position in range(len(pictures)):
        drawn = set(pictures.same_class(np.full(200, position), rng).tolist())
        mates = set(np.flatnonzero(pictures.classes == pictures.classes[position]).tolist())
        assert drawn == (mates - {position} if len(mates) > 1 else mates)


def test_classes_of_any_size_have_their_own_pictures() -> None:
    classes = np.repeat([0, 1, 2, 3], [1, 3, 2, 4])
    images = pd.DataFrame({"split": "train", "class_id": classes})
    one_each = pd.DataFrame({"image": range(len(classes)), "role": "caption"})
    pictures, rng = TrainingPictures(images, one_each), np.random.default_rng(0)
    assert pictures.images.tolist() == list(range(len(classes)))
    for position, own in enumerate(classes):
        mates = set(np.flatnonzero(classes == own).tolist())
        chosen = np.full(200, position)
        assert set(pictures.same_class(chosen, rng).tolist()) == (mates - {position} or mates)
        others = set(range(len(classes))) - mates
        assert set(pictures.other_class(chosen, rng).tolist()) == others


def test_a_single_class_is_refused() -> None:
    images, descriptions = corpus_tables()
    images["class_id"] = np.int32(0)
    with pytest.raises(UserError, match="at least 2"):
        TrainingPictures(images, descriptions)


def test_a_batch_depends_on_seed_and_step_alone(inputs: dict[str, Path]) -> None:
    walked = list(made_ahead(stream(inputs).__getitem__, 0, 7))
    jumped = stream(inputs)[6]
    for name, value in vars(walked[6]).items():
        np.testing.assert_array_equal(value, getattr(jumped, name), err_msg=name)
    other = stream(inputs, seed=2)[6]
    assert not np.array_equal(jumped.noise, other.noise)


@pytest.mark.parametrize("pictures", [False, True])
@pytest.mark.parametrize("speech", [False, True])
def test_all_but_the_wrong_pairs_is_the_same_whichever_are_wanted(
    inputs: dict[str, Path], pictures: bool, speech: bool
) -> None:
    whole = vars(stream(inputs)[6])
    batch = vars(stream(inputs, wrong_pictures=pictures, wrong_speech=speech)[6])
    wanted = {"wrong": pictures, "wrong_speech": speech}
    for name, value in whole.items():
        if wanted.get(name, True):
            np.testing.assert_array_equal(batch[name], value, err_msg=name)
        else:
            assert batch[name] is None


def test_what_is_drawn_for_a_batch_depends_on_the_seed(inputs: dict[str, Path]) -> None:
    images, descriptions = corpus_tables()
    # With one picture per class, whichever pictures a batch holds, as many numbers are drawn.
    images["class_id"] = np.arange(len(images), dtype=np.int32)
    noises = []
    for seed in (1, 2):
        batches = stream(inputs, seed=seed)
        batches.pictures = TrainingPictures(images, descriptions)
        noises.append(batches[6].noise)
    assert not np.array_equal(noises[0], noises[1])


def test_an_epoch_shows_every_picture_once(inputs: dict[str, Path]) -> None:
    batches = stream(inputs, batch_size=3)
    count = len(batches.pictures)
    seen = np.concatenate([batches._chosen(step) for step in range(count)])
    epochs = seen.reshape(3, count).tolist()
    for epoch in epochs:
        assert sorted(epoch) == list(range(count))
    assert len({tuple(epoch) for epoch in epochs}) == 3  # each in an order of its own


class NumberedPixels:
    """In place of pictures, squares of one pixel that tell the row."""

    def crops(self, indices: Any, _size: int, _rng: Any, rows: slice = slice(None)) -> Any:
        return np.asarray(indices, np.uint8)[rows].reshape(-1, 1, 1, 1)


def test_all_parts_of_a_batch_belong_together(inputs: dict[str, Path]) -> None:
    batches = stream(inputs, batch_size=6)
    batches.pixels = NumberedPixels()  # type: ignore[assignment]
    captions = embeddings(batches).reshape(-1, EMBEDDING_DIM)

    def pictures_of(rows: Any, table: Any) -> list[int]:
        return [int(np.flatnonzero((row == table).all(axis=-1))[0]) for row in rows]

    noises, shown_views = [], []
    for step in range(10):
        batch = batches[step]
        noises.append(batch.noise)
        assert batch.wrong is not None
        shown, wrong = (np.asarray(squares).reshape(-1) for squares in (batch.real, batch.wrong))
        np.testing.assert_array_equal(shown, batches.pictures.images[batches._chosen(step)])
        classes = np.array(CLASSES)
        np.testing.assert_array_equal(batch.labels, classes[shown])
        assert (classes[wrong] != classes[shown]).all()
        views = batches.seen.reshape(-1, EMBEDDING_DIM)
        found = [
            np.array(pictures_of(rows, views))
            for rows in (batch.truth_seen, batch.same_seen, batch.wrong_seen)
        ]
        truth, same, other = (numbers // VIEWS for numbers in found)
        shown_views.append([numbers % VIEWS for numbers in found])
        np.testing.assert_array_equal(truth, shown)
        np.testing.assert_array_equal(other, wrong)
        np.testing.assert_array_equal(classes[same], classes[shown])
        lonely = classes[shown] == 2
        np.testing.assert_array_equal(same == shown, lonely)
        for rows, spoken in ((batch.speech, shown), (batch.wrong_speech, wrong)):
            assert isinstance(rows, np.ndarray)
            np.testing.assert_array_equal(np.array(pictures_of(rows, captions)) // CAPTIONS, spoken)
    assert not any(np.array_equal(noises[0], other) for other in noises[1:])
    for part in np.array(shown_views).swapaxes(0, 1):
        assert set(part.ravel()) == set(range(VIEWS))


def test_pictures_without_captions_and_of_val_classes_do_not_train() -> None:
    images, descriptions = corpus_tables()
    images.loc[1, "split"] = "val"
    silent = descriptions["image"] == 3
    pictures = TrainingPictures(images, descriptions[~silent])
    train = [row for row, number in enumerate(CLASSES) if number <= 2 and row not in (1, 3)]
    assert sorted(pictures.images) == train
    drawn = pictures.utterances(np.arange(len(pictures)), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn // CAPTIONS, pictures.images)


def test_batches_hold_no_value_of_other_splits(inputs: dict[str, Path]) -> None:
    # Every embedding outside of the split train is NaN in these inputs.
    for batch in map(stream(inputs, embedding_mix=0.5).__getitem__, range(30)):
        for value in (batch.speech, batch.wrong_speech, batch.truth_seen, batch.same_seen):
            assert isinstance(value, np.ndarray)
            assert np.isfinite(value).all()
        assert np.isfinite(batch.wrong_seen).all()
        assert isinstance(batch.real, np.ndarray)
        assert batch.real.shape == (4, 32, 32, 3)
        assert isinstance(batch.wrong, np.ndarray)
        assert batch.wrong.dtype == np.uint8


def test_the_views_of_a_lonely_picture_differ(inputs: dict[str, Path]) -> None:
    batches = stream(inputs, batch_size=8)
    lonely = int(np.flatnonzero(np.array(CLASSES) == 2)[0])
    views = batches.seen[lonely]
    found = 0
    for step in range(8):
        batch = batches[step]
        for truth, same in zip(batch.truth_seen, batch.same_seen, strict=True):
            if (truth == views).all(axis=1).any():
                assert (same == views).all(axis=1).any()
                assert not np.array_equal(truth, same)
                found += 1
    assert found > 0


def test_without_classes_positives_are_views_and_wrong_pictures_are_others(
    inputs: dict[str, Path],
) -> None:
    images, descriptions = corpus_tables()
    assert TrainingPictures(images, descriptions).lonely == 1
    images["class_id"] = np.arange(len(images), dtype=np.int32)
    pictures = TrainingPictures(images, descriptions)
    assert pictures.lonely == len(pictures) == 6
    batches = stream(inputs, batch_size=6)
    batches.pictures = pictures
    rows = open_array(inputs["embeddings"] / "speech.npy")
    for step in range(8):
        batch = batches[step]
        assert isinstance(batch.wrong_speech, np.ndarray)
        shown = pictures.images[batches._chosen(step)]
        for row, image in enumerate(shown):
            own = batches.seen[image]
            assert (batch.truth_seen[row] == own).all(axis=1).any()
            assert (batch.same_seen[row] == own).all(axis=1).any()
            assert not np.array_equal(batch.same_seen[row], batch.truth_seen[row])
            assert not (batch.wrong_seen[row] == own).all(axis=1).any()
            captions = rows[image * CAPTIONS : (image + 1) * CAPTIONS]
            assert not (batch.wrong_speech[row] == captions).all(axis=1).any()


def test_mixed_conditions_lie_between_two_captions(inputs: dict[str, Path]) -> None:
    plain, mixed = stream(inputs), stream(inputs, embedding_mix=1.0)
    rows = embeddings(plain).astype(np.float64)
    batch = mixed[0]
    assert isinstance(batch.speech, np.ndarray)
    images = mixed.pictures.images[mixed._chosen(0)]
    between = 0
    for vector, image in zip(batch.speech, images, strict=True):
        pair = rows[image * CAPTIONS : (image + 1) * CAPTIONS].T  # (E, 2)
        shares, _, _, _ = np.linalg.lstsq(pair, vector, rcond=None)
        np.testing.assert_allclose(pair @ shares, vector, atol=1e-5)
        assert (shares > -1e-6).all()
        between += int((shares > 1e-3).all())
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert between > 0


@pytest.mark.parametrize("chunk", [5, 8192])
def test_speech_statistics_are_those_of_the_training_captions(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(speech_source, "_CHUNK", chunk)
    batches = stream(inputs)
    train = [row for row, number in enumerate(CLASSES) if number <= 2]
    rows = np.concatenate([embeddings(batches)[r * CAPTIONS : (r + 1) * CAPTIONS] for r in train])
    mean, deviation = EmbeddedSpeech(embeddings(batches)).statistics(batches.pictures.captions)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-6)
    assert deviation == pytest.approx(np.sqrt(np.square(rows - rows.mean(axis=0)).mean()))
    mask = np.ones(len(embeddings(batches)), np.bool_)
    with pytest.raises(ValueError, match="captions are bool, expected row numbers"):
        EmbeddedSpeech(embeddings(batches)).statistics(mask)  # type: ignore[arg-type]
