"""Which pairs a training step sees."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from s2igan.engine.arrays import Ragged, RaggedWriter
from s2igan.sen.batches import (
    POOL_BATCHES,
    Augmentation,
    PairStream,
    draw_masks,
    release_pages,
    roughen_features,
    roughen_frames,
    silence,
)

PICTURES, CAPTIONS, BATCH = 40, 3, 8


@pytest.fixture(scope="module")
def mel(tmp_path_factory: pytest.TempPathFactory) -> Ragged:
    """Utterance u is full of u + 1 and between 5 and 60 frames long."""
    folder = tmp_path_factory.mktemp("mel")
    rng = np.random.default_rng(0)
    with RaggedWriter(folder, "mel", np.float16, (2,)) as writer:
        for utterance in range(PICTURES * CAPTIONS):
            writer.append(np.full((rng.integers(5, 61), 2), utterance + 1, np.float16))
    return Ragged(folder, "mel")


def stream(mel: Ragged, seed: int = 0, **others: Any) -> PairStream:
    images = np.repeat(np.arange(PICTURES), CAPTIONS)
    half = np.flatnonzero(images % 2 == 0)  # the training half, in no order
    rows = np.random.default_rng(4).permutation(half)
    features = np.arange(PICTURES, dtype=np.float32)[:, None, None] + [[[0.0], [0.25], [0.5]]]
    return PairStream(
        mel,
        features.astype(np.float32),
        utterances=rows,
        images=images[rows],
        labels=images[rows] // 4,
        batch=BATCH,
        seed=seed,
        **others,
    )


def utterances(pairs: PairStream, step: int) -> npt.NDArray[np.int64]:
    return pairs[step].frames[:, 0, 0].numpy().astype(np.int64) - 1


def test_a_batch_holds_matching_speech_picture_and_class(mel: Ragged) -> None:
    pairs = stream(mel)
    for step in range(3):
        batch, spoken = pairs[step], utterances(pairs, step)
        assert batch.features[:, 0].floor().tolist() == (spoken // CAPTIONS).tolist()
        assert batch.labels.tolist() == (spoken // CAPTIONS // 4).tolist()
        assert batch.lengths.tolist() == mel.lengths[spoken].tolist()
        for row, length in enumerate(batch.lengths):
            assert (batch.frames[row, :length] == spoken[row] + 1).all()
            assert not batch.frames[row, length:].any()


@pytest.mark.parametrize("multiple", [1, 32])
def test_a_batch_is_padded_behind_its_frames(mel: Ragged, multiple: int) -> None:
    batch = stream(mel)[0]
    placed = batch.to(torch.device("cpu"), multiple=multiple)
    length = batch.frames.shape[1]
    assert placed.frames.shape[1] == -(-length // multiple) * multiple
    assert torch.equal(placed.frames[:, :length], batch.frames.float())
    assert not placed.frames[:, length:].any()
    assert all(torch.equal(*pair) for pair in zip(placed[1:], batch[1:], strict=True))


def test_every_picture_comes_round_once_per_pass(mel: Ragged) -> None:
    pairs = stream(mel)
    steps = 2 * POOL_BATCHES  # 256 pairs: 12.8 passes over 20 pictures
    seen = Counter(int(u) // CAPTIONS for step in range(steps) for u in utterances(pairs, step))
    assert set(seen) == set(range(0, PICTURES, 2))
    assert max(seen.values()) - min(seen.values()) <= 1


def test_captions_and_views_vary(mel: Ragged) -> None:
    pairs = stream(mel)
    spoken = Counter(int(u) for step in range(64) for u in utterances(pairs, step))
    assert len(spoken) == PICTURES // 2 * CAPTIONS
    views = Counter(float(v) % 1 for step in range(64) for v in pairs[step].features[:, 0])
    assert set(views) == {0.0, 0.25, 0.5}
    assert min(views.values()) > 64 * BATCH / 5


def test_a_step_follows_from_seed_and_number_alone(mel: Ragged) -> None:
    forwards = [utterances(stream(mel), step) for step in range(40)]
    pairs = stream(mel)
    for step in (39, 3, 20, 0):
        assert (utterances(pairs, step) == forwards[step]).all()
    other = [utterances(stream(mel, seed=1), step) for step in range(5)]
    assert any((a != b).any() for a, b in zip(forwards, other, strict=False))


def test_pairs_are_augmented_by_the_step(mel: Ragged) -> None:
    changes = Augmentation(
        time_masks=1, time_mask_frames=20, band_masks=1, band_mask_bands=1, feature_noise=0.1
    )
    plain, pairs = stream(mel), stream(mel, augmentation=changes)
    part = stream(mel, augmentation=changes, rows=slice(3, 6))
    noises = []
    for step in (0, 1, POOL_BATCHES):  # the last has the first one's place in the next pool
        before, after = plain[step], pairs[step]
        silenced = after.frames != before.frames
        assert silenced.any()
        assert not after.frames[silenced].any()
        noises.append(after.features - before.features)
        # A process draws for all and takes its own.
        mine = part[step].frames
        assert torch.equal(mine, after.frames[3:6, : mine.shape[1]])
        assert torch.equal(part[step].features, after.features[3:6])
    for one, other in itertools.combinations(noises, 2):
        assert not torch.allclose(one, other, atol=1e-3)


def test_frame_noise_is_drawn_by_the_step_and_the_row(mel: Ragged) -> None:
    noisy = Augmentation(frame_noise=1.0)
    pairs = stream(mel, augmentation=noisy)
    part = stream(mel, augmentation=noisy, rows=slice(3, 6))
    heard = []
    for step in (0, 1, POOL_BATCHES):
        frames, mine = pairs[step].frames, part[step].frames
        assert torch.equal(mine, frames[3:6, : mine.shape[1]])
        heard += [frames[row, :5].flatten().float() for row in (3, 4)]
    # Without its noise an utterance is constant; the same noise would be alike but for its scale.
    likeness = np.corrcoef(torch.stack(heard)) - np.eye(len(heard))
    assert np.abs(likeness).max() < 0.95


def test_buckets_leave_little_padding_and_mix_classes(mel: Ragged) -> None:
    pairs = stream(mel)
    batches = [pairs[step] for step in range(POOL_BATCHES)]
    padded = sum(batch.frames.shape[0] * batch.frames.shape[1] for batch in batches)
    assert padded / sum(int(batch.lengths.sum()) for batch in batches) < 1.15
    assert np.mean([len(np.unique(batch.labels)) for batch in batches]) > 3
    longest = [batch.frames.shape[1] for batch in batches]
    assert longest != sorted(longest)


def test_released_pages_are_read_again(mel: Ragged) -> None:
    before = np.array(mel.values)
    release_pages(mel.values)
    assert (mel.values == before).all()
    release_pages(np.zeros(3))  # an array in memory has nothing to hand back


def test_time_and_band_masks_silence_at_most_what_they_may() -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([50, 12, 50] * 20)
    frames = np.ones((60, 50, 10), np.float32)
    stretches = Augmentation(time_masks=1, time_mask_frames=20)
    silence(frames, draw_masks(lengths, 10, stretches, rng))
    silenced = (frames == 0).all(axis=2).sum(axis=1)
    assert silenced.max() <= 20
    assert silenced[lengths == 12].max() <= 6
    assert silenced.mean() > 3
    assert not (frames == 0).any(axis=2)[lengths == 12, 12:].any()
    frames = np.ones((60, 50, 10), np.float32)
    bands = Augmentation(band_masks=1, band_mask_bands=4)
    silence(frames, draw_masks(lengths, 10, bands, rng))
    assert 1 <= (frames == 0).all(axis=1).sum(axis=1).max() <= 4


def test_masks_lie_anywhere_and_are_as_wide_as_they_may() -> None:
    drawn = draw_masks(
        np.full(3000, 30),
        10,
        Augmentation(time_masks=1, time_mask_frames=20, band_masks=1, band_mask_bands=4),
        np.random.default_rng(0),
    )
    for slices, whole, widest in (
        ([one for mask in drawn for one in mask.stretches], 30, 15),  # half of an utterance
        ([one for mask in drawn for one in mask.bands], 10, 4),
    ):
        assert {one.stop - one.start for one in slices} == set(range(widest + 1))
        assert min(one.start for one in slices) == 0
        assert max(one.stop for one in slices if one.stop > one.start) == whole


def test_frame_noise_leaves_normalised_bands_and_the_padding() -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([400, 300] * 40)
    frames = np.zeros((80, 400, 10), np.float32)
    for utterance, length in zip(frames, lengths, strict=True):
        utterance[:length] = rng.standard_normal((length, 10))
    before = frames.copy()
    noise = Augmentation(frame_noise=2.0)
    roughen_frames(frames, lengths, noise, (7, 1), np.arange(80))
    likeness = []
    for old, new, length in zip(before, frames, lengths, strict=True):
        assert not new[length:].any()
        np.testing.assert_allclose(new[:length].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(new[:length].std(axis=0), 1, atol=1e-4)
        likeness.append(np.corrcoef(old[:length].ravel(), new[:length].ravel())[0, 1])
    # Beside noise of a deviation s, a band of deviation 1 has a correlation of 1 / sqrt(1 + s²).
    assert max(likeness) > 0.98
    assert min(likeness) == pytest.approx(1 / np.sqrt(5), abs=0.05)
    # Each utterance has its own noise, whichever process draws it.
    part = before[3:6].copy()
    roughen_frames(part, lengths[3:6], noise, (7, 1), np.arange(3, 6))
    np.testing.assert_array_equal(part, frames[3:6])
    roughen_frames(part, lengths[3:6], Augmentation(), (7, 1), np.arange(3, 6))
    np.testing.assert_array_equal(part, frames[3:6])


def test_feature_noise_and_dropout_keep_the_mean() -> None:
    rng = np.random.default_rng(0)
    features = np.full((200, 50), 2.0, np.float32)
    assert roughen_features(features, Augmentation(), rng, 200) is features
    noisy = roughen_features(features, Augmentation(feature_noise=0.5), rng, 200)
    assert noisy.std() == pytest.approx(0.5, rel=0.05)
    dropped = roughen_features(features, Augmentation(feature_dropout=0.25), rng, 200)
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert dropped.mean() == pytest.approx(2.0, rel=0.02)
