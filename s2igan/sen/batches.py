"""Which utterances, pictures and views a training step sees.

Every picture comes round once per pass with one random caption and one random view. Batches are cut
from a pool of random pairs that is sorted by length: classes stay mixed and little is padding. A
step's batch follows from the seed and its number alone, so a resumed run sees what it would have.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from s2igan.engine.arrays import Array, Ragged
from s2igan.engine.device import sent

Rows = npt.NDArray[np.int64]

POOL_BATCHES = 16
_PASS, _POOL, _AUGMENT, _FRAMES = range(4)  # streams of random numbers, one per purpose
_ALL = slice(None)


@dataclass(frozen=True)
class Augmentation:
    """What is done to a training pair; all zero leaves it as it is, as the paper does.

    Args:
        time_masks: stretches silenced per utterance (SpecAugment).
        time_mask_frames: longest such stretch, frames.
        band_masks: bands silenced per utterance.
        band_mask_bands: widest such band, mel bands.
        frame_noise: largest standard deviation of Gaussian noise on normalised log-mel frames.
        feature_noise: standard deviation of Gaussian noise on standardised picture features.
        feature_dropout: share of picture features set to zero, the others scaled up.
    """

    time_masks: int = 0
    time_mask_frames: int = 0
    band_masks: int = 0
    band_mask_bands: int = 0
    frame_noise: float = 0.0
    feature_noise: float = 0.0
    feature_dropout: float = 0.0


class Batch(NamedTuple):
    """One training step's pairs.

    Args:
        frames: (B, T, bands) log-mel or (B, T) byte values, zero past the end; float32 where
            networks take it, as it is stored before that.
        lengths: (B,) int64, real frames or bytes.
        features: (B, D) float32, backbone features.
        labels: (B,) int64, dense over the training classes.
    """

    frames: Tensor
    lengths: Tensor
    features: Tensor
    labels: Tensor

    def to(self, device: torch.device, *, multiple: int = 1) -> "Batch":
        """Copy the batch to ``device``, without waiting for a GPU to take it.

        Args:
            device: where the networks are.
            multiple: T becomes a multiple of it by more zeros.
        """
        frames, *others = (sent(value.numpy(), device) for value in self)
        lacking = -frames.shape[1] % multiple
        frames = F.pad(frames.float(), (0, 0) * (frames.dim() - 2) + (0, lacking))
        return Batch(frames, *others)


def release_pages(array: Array) -> None:
    """Hand the pages of a memory-mapped array back to the system.

    They stay in the file cache while there is room, but no longer count as this process's memory,
    which would otherwise grow by the whole file.
    """
    mapping = getattr(array, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def pad_frames(
    sequences: Ragged, utterances: Rows, dtype: npt.DTypeLike = np.float32
) -> tuple[npt.NDArray[Any], Rows]:
    """Stack utterances, zeros on the right.

    Args:
        sequences: of every utterance, (T, bands) float16 log-mel or (T,) uint8 characters.
        utterances: (B,) row numbers.
        dtype: of what is returned.

    Returns:
        (B, T_max, bands) or (B, T_max) and (B,) int64 lengths.
    """
    lengths = sequences.lengths[utterances]
    shape = len(utterances), lengths.max(), *sequences.values.shape[1:]
    frames = np.zeros(shape, dtype)
    for row, utterance in enumerate(utterances):
        frames[row, : lengths[row]] = sequences[int(utterance)]
    return frames, lengths


class PairStream:
    """An endless, indexable stream of training batches.

    Args:
        sequences: what the encoder of descriptions reads of every utterance.
        backbone: (images, views, D) float32, features of every picture.
        utterances: (U,) training utterances.
        images: (U,) row of the picture that each describes.
        labels: (U,) dense class of each.
        batch: pairs per step.
        seed: of everything that is drawn.
        augmentation: see :class:`Augmentation`.
        rows: which pairs of a step are assembled; whatever is drawn is drawn for all of them.
    """

    def __init__(
        self,
        sequences: Ragged,
        backbone: Array,
        *,
        utterances: Rows,
        images: Rows,
        labels: Rows,
        batch: int,
        seed: int,
        augmentation: Augmentation | None = None,
        rows: slice = _ALL,
    ) -> None:
        self.rows = rows
        self.sequences, self.backbone, self.batch, self.seed = sequences, backbone, batch, seed
        self.augmentation = augmentation or Augmentation()
        order = np.argsort(images, kind="stable")
        self.utterances, self.labels = utterances[order], labels[order]
        self.images, self._first, self._captions = np.unique(
            images[order], return_index=True, return_counts=True
        )
        self._pool_number, self._pool = -1, np.empty((0, batch), np.int64)
        self._views = np.empty((0, batch), np.int64)

    def __getitem__(self, step: int) -> Batch:
        """Assemble the batch of ``step``, 0, 1, …"""
        pool, row = divmod(step, POOL_BATCHES)
        if pool != self._pool_number:
            self._pool, self._views = self._draw_pool(pool)
            self._pool_number = pool
            release_pages(self.sequences.values)
        whole = self._pool[row]  # positions in self.utterances
        picks = whole[self.rows]  # (B,)
        stored = self.sequences.values.dtype  # half as many bytes to fill and to send as float32
        frames, lengths = pad_frames(self.sequences, self.utterances[picks], stored)
        pictures = self.images[np.searchsorted(self._first, picks, side="right") - 1]
        views = self._views[row][self.rows]
        features = self.backbone[pictures, views].astype(np.float32)  # (B, D)
        rng = np.random.default_rng((self.seed, _AUGMENT, step))
        if frames.ndim == 3:  # a text has neither stretches of silence nor bands
            numbers = np.arange(len(whole))[self.rows]
            roughen_frames(frames, lengths, self.augmentation, (self.seed, _FRAMES, step), numbers)
            every_length = self.sequences.lengths[self.utterances[whole]]
            masks = draw_masks(every_length, frames.shape[2], self.augmentation, rng)
            silence(frames, masks[self.rows])
        features = roughen_features(features, self.augmentation, rng, len(whole), self.rows)
        return Batch(
            torch.from_numpy(frames),
            torch.from_numpy(lengths),
            torch.from_numpy(features),
            torch.from_numpy(self.labels[picks]),
        )

    def _draw_pool(self, pool: int) -> tuple[Rows, Rows]:
        size = POOL_BATCHES * self.batch
        visits = np.arange(pool * size, (pool + 1) * size)
        picks = np.empty(size, np.int64)
        for number in range(visits[0] // len(self.images), visits[-1] // len(self.images) + 1):
            inside = visits // len(self.images) == number
            picks[inside] = self._draw_pass(number)[visits[inside] % len(self.images)]
        rng = np.random.default_rng((self.seed, _POOL, pool))
        by_length = np.argsort(self.sequences.lengths[self.utterances[picks]], kind="stable")
        batches = picks[by_length].reshape(POOL_BATCHES, self.batch)
        views = rng.integers(self.backbone.shape[1], size=batches.shape)
        return rng.permutation(batches), views

    def _draw_pass(self, number: int) -> Rows:
        # One caption of every picture, pictures in random order.
        rng = np.random.default_rng((self.seed, _PASS, number))
        return rng.permutation(self._first + rng.integers(self._captions))


class Masks(NamedTuple):
    """What of one utterance is silenced: stretches of frames and of bands."""

    stretches: list[slice]
    bands: list[slice]


def draw_masks(
    lengths: Rows, bands: int, augmentation: Augmentation, rng: np.random.Generator
) -> list[Masks]:
    """Draw stretches and bands to silence (SpecAugment, arXiv 1904.08779).

    Args:
        lengths: (B,) real frames; a stretch is at most half of an utterance.
        bands: of the log-mel.
        augmentation: how many and how wide.
        rng: draws them.
    """

    def drawn(widest: int, whole: int) -> slice:
        width = rng.integers(widest + 1)
        start = rng.integers(whole - width + 1)
        return slice(start, start + width)

    return [
        Masks(
            [
                drawn(min(augmentation.time_mask_frames, length // 2), length)
                for _ in range(augmentation.time_masks)
            ],
            [
                drawn(min(augmentation.band_mask_bands, bands), bands)
                for _ in range(augmentation.band_masks)
            ],
        )
        for length in lengths
    ]


def silence(frames: npt.NDArray[np.floating], masks: Sequence[Masks]) -> None:
    """Silence what ``masks`` say of each of ``frames`` (B, T, bands), in place.

    Zero is the mean of a band, as log-mel is normalised per utterance.
    """
    for utterance, mask in zip(frames, masks, strict=True):
        for stretch in mask.stretches:
            utterance[stretch] = 0.0
        for band in mask.bands:
            utterance[:, band] = 0.0


def roughen_frames(
    frames: npt.NDArray[np.floating],
    lengths: Rows,
    augmentation: Augmentation,
    seed: tuple[int, ...],
    numbers: Rows,
) -> None:
    """Drown the detail of every utterance in noise, in place, and normalise it again.

    What is left tells less of who speaks, and by which synthesiser, than of what is said.

    Args:
        frames: (B, T, bands) log-mel, normalised per utterance and band, zero past the end.
        lengths: (B,) real frames.
        augmentation: how much.
        seed: of the noise of the whole batch.
        numbers: (B,) which utterances of the batch these are.
    """
    if not augmentation.frame_noise:
        return
    for utterance, length, number in zip(frames, lengths, numbers, strict=True):
        rng = np.random.default_rng((*seed, int(number)))
        loudness = np.float32(rng.uniform(0, augmentation.frame_noise))
        heard = utterance[:length].astype(np.float32)
        heard += loudness * rng.standard_normal(heard.shape, np.float32)
        utterance[:length] = (heard - heard.mean(0)) / (heard.std(0) + np.float32(1e-5))


def roughen_features(
    features: npt.NDArray[np.float32],
    augmentation: Augmentation,
    rng: np.random.Generator,
    batch: int,
    rows: slice = _ALL,
) -> npt.NDArray[np.float32]:
    """Add noise to picture features and drop some of them.

    Args:
        features: (B, D) float32, standardised: ``rows`` of the batch.
        augmentation: how much.
        rng: draws it, for the whole batch.
        batch: pairs of the whole batch.
        rows: which of them these are.

    Returns:
        (B, D) float32.
    """
    shape = batch, features.shape[1]
    if augmentation.feature_noise:
        noise = rng.standard_normal(shape, np.float32)[rows]
        features = features + np.float32(augmentation.feature_noise) * noise
    if augmentation.feature_dropout:
        kept = rng.random(shape)[rows] >= augmentation.feature_dropout
        scaled = features / np.float32(1 - augmentation.feature_dropout)
        features = np.where(kept, scaled, np.float32(0))
    return features
