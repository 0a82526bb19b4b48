"""What one step of the RDG trains on: pictures, speech of theirs and of others, and noise.

Batch ``step`` is a function of the seed and the step alone, so a resumed run goes on with the same
batches and preparing them ahead changes nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from s2igan.engine.seeding import numpy_generator
from s2igan.errors import UserError
from s2igan.rdg.speech_source import Floats, Integers, Mixture, Sequences, SpeechSource
from s2igan.vision.device_pixels import Crops, DevicePixels
from s2igan.vision.pixels import PackedPixels

_ORDER, _BATCH = 0, 1  # keys of the random streams


@dataclass(frozen=True)
class Batch:
    """Host arrays of one step, N pictures.

    Attributes:
        real: ``(N, crop, crop, 3)`` uint8, the ground truth; on a GPU, where to cut it.
        wrong: ``(N, crop, crop, 3)`` uint8, a picture of another class, or another picture where
            there are no classes; None unless ``rdg.wrong_pairs`` is ``pictures``.
        labels: ``(N,)`` int64, class of the ground truth.
        speech: ``(N, E)`` float32, a caption's speech embedding, or what a learning encoder reads
            of the caption.
        wrong_speech: the same of the picture of another class; None unless ``rdg.wrong_pairs`` is
            ``speech``.
        truth_seen: ``(N, E)`` float32, image embedding of a view of the ground truth.
        same_seen: ``(N, E)`` float32, of another picture of its class, or of another view of it
            where the class has no other.
        wrong_seen: ``(N, E)`` float32, of the picture of another class.
        noise: ``(N, noise_dim)`` float32 standard normal.
        condition_noise: ``(N, condition_dim)`` float32 standard normal.
    """

    real: npt.NDArray[np.uint8] | Crops
    wrong: npt.NDArray[np.uint8] | Crops | None
    labels: Integers
    speech: Floats | Sequences
    wrong_speech: Floats | Sequences | None
    truth_seen: Floats
    same_seen: Floats
    wrong_seen: Floats
    noise: Floats
    condition_noise: Floats


class TrainingPictures:
    """The pictures of the split ``train`` that have captions, class by class.

    Args:
        images: the corpus index, with ``split`` and ``class_id``.
        descriptions: the corpus's descriptions, with ``image`` and ``role``.

    Raises:
        UserError: if there are fewer than two classes, which leaves no mismatched pair.
    """

    def __init__(self, images: pd.DataFrame, descriptions: pd.DataFrame) -> None:
        captions = descriptions[descriptions["role"] == "caption"]
        rows = captions.index.to_numpy(np.int64)
        rows = rows[np.argsort(captions["image"].to_numpy(), kind="stable")]
        counts = np.bincount(captions["image"].to_numpy(), minlength=len(images))
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        usable = np.flatnonzero((images["split"].to_numpy() == "train") & (counts > 0))
        classes = images["class_id"].to_numpy(np.int64)
        self.images: Integers = usable[np.argsort(classes[usable], kind="stable")]
        self.classes: Integers = classes[self.images]
        self.caption_counts: Integers = counts[self.images]
        self._caption_starts: Integers = starts[self.images]
        self._captions: Integers = rows
        found, first, sizes = np.unique(self.classes, return_index=True, return_counts=True)
        if len(found) < 2:
            raise UserError("classes with training pictures", got=len(found), expected="at least 2")
        place = np.searchsorted(found, self.classes)
        self._class_starts: Integers = first[place]
        self._class_sizes: Integers = sizes[place]

    def __len__(self) -> int:
        return len(self.images)

    def utterances(self, chosen: Integers, rng: np.random.Generator) -> Integers:
        """Draw one caption of each picture: positions ``(N,)`` → utterances ``(N,)``."""
        drawn = rng.integers(0, self.caption_counts[chosen])
        found: Integers = self._captions[self._caption_starts[chosen] + drawn]
        return found

    @property
    def lonely(self) -> int:
        """How many pictures are the only ones of their class: all, where there are no classes."""
        return int((self._class_sizes == 1).sum())

    @property
    def captions(self) -> Integers:
        """Utterances of all these pictures."""
        return np.concatenate(
            [
                self._captions[start : start + count]
                for start, count in zip(self._caption_starts, self.caption_counts, strict=True)
            ]
        )

    def first_utterances(self, chosen: Integers) -> Integers:
        """Return the first caption of each picture: positions ``(N,)`` → utterances ``(N,)``."""
        first: Integers = self._captions[self._caption_starts[chosen]]
        return first

    def same_class(self, chosen: Integers, rng: np.random.Generator) -> Integers:
        """Draw another picture of the class, or the same where the class has no other."""
        start, size = self._class_starts[chosen], self._class_sizes[chosen]
        ahead = rng.integers(0, np.maximum(size - 1, 1)) + 1
        return np.where(size > 1, start + (chosen - start + ahead) % size, chosen)

    def other_class(self, chosen: Integers, rng: np.random.Generator) -> Integers:
        """Draw a picture of another class, uniformly."""
        start, size = self._class_starts[chosen], self._class_sizes[chosen]
        drawn = rng.integers(0, len(self) - size)
        return np.where(drawn < start, drawn, drawn + size)  # skip the class's own stretch


class BatchStream:
    """Batches by step number.

    Args:
        pictures: which pictures, and which captions are theirs.
        pixels: packed pictures.
        speech: gives a batch its captions.
        seen: ``(pictures, views, E)`` image embeddings.
        seed: of everything drawn here.
        batch_size: pictures per batch.
        crop: side of the random crops, px.
        noise_dim: dimension of z.
        condition_dim: dimension of F_ca.
        wrong_pictures: whether :attr:`Batch.wrong` is wanted.
        wrong_speech: whether :attr:`Batch.wrong_speech` is wanted.
        embedding_mix: share of the conditions between two captions of one picture.
        rows: which pictures of a batch are assembled; whatever is drawn is drawn for all of them.
    """

    def __init__(
        self,
        pictures: TrainingPictures,
        pixels: PackedPixels | DevicePixels,
        speech: SpeechSource,
        seen: npt.NDArray[Any],
        *,
        seed: int,
        batch_size: int,
        crop: int,
        noise_dim: int,
        condition_dim: int,
        wrong_pictures: bool,
        wrong_speech: bool,
        embedding_mix: float,
        rows: slice = slice(None),
    ) -> None:
        self.rows = rows
        self.pictures, self.pixels, self.speech, self.seen = pictures, pixels, speech, seen
        self.seed, self.batch_size, self.crop = seed, batch_size, crop
        self.noise_dim, self.condition_dim = noise_dim, condition_dim
        self.wrong_pictures, self.wrong_speech = wrong_pictures, wrong_speech
        self.embedding_mix = embedding_mix
        self._order: tuple[int, Integers] = (-1, np.empty(0, np.int64))

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of ``step``."""
        rng = numpy_generator(self.seed, _BATCH, step)
        chosen = self._chosen(step)
        images, rows = self.pictures.images, self.rows
        same = self.pictures.same_class(chosen, rng)
        wrong = self.pictures.other_class(chosen, rng)
        truth_view, same_view = self._two_views(rng)
        wrong_view = rng.integers(0, self.seen.shape[1], self.batch_size)
        return Batch(
            real=self.pixels.crops(images[chosen], self.crop, rng, rows),
            labels=self.pictures.classes[chosen][rows],
            speech=self._speech(chosen, rng),
            wrong_speech=self._wrong_speech(wrong, rng),
            truth_seen=self.seen[images[chosen][rows], truth_view[rows]],
            same_seen=self.seen[images[same][rows], same_view[rows]],
            wrong_seen=self.seen[images[wrong][rows], wrong_view[rows]],
            noise=self._noise(self.noise_dim, rng),
            condition_noise=self._noise(self.condition_dim, rng),
            # Last, so that all the above is the same whichever pairs are wanted.
            wrong=self._wrong_pictures(images[wrong], rng),
        )

    def _chosen(self, step: int) -> Integers:
        # Epoch after epoch, each in an order of its own; a batch may reach into the next epoch.
        places = step * self.batch_size + np.arange(self.batch_size)
        epochs, within = np.divmod(places, len(self.pictures))
        chosen = np.empty(self.batch_size, np.int64)
        for epoch in np.unique(epochs):
            mine = epochs == epoch
            chosen[mine] = self._epoch_order(int(epoch))[within[mine]]
        return chosen

    def _epoch_order(self, epoch: int) -> Integers:
        known = self._order  # read once, since batches are made by two threads
        if known[0] != epoch:
            rng = numpy_generator(self.seed, _ORDER, epoch)
            known = self._order = (epoch, rng.permutation(len(self.pictures)))
        return known[1]

    def _two_views(self, rng: np.random.Generator) -> tuple[Integers, Integers]:
        views = self.seen.shape[1]
        first = rng.integers(0, views, self.batch_size)
        if views == 1:
            return first, first
        return first, (first + rng.integers(1, views, self.batch_size)) % views

    def _speech(self, chosen: Integers, rng: np.random.Generator) -> Floats | Sequences:
        utterances = self.pictures.utterances(chosen, rng)
        if self.embedding_mix == 0:
            return self.speech(utterances[self.rows])
        others = self.pictures.utterances(chosen, rng)
        share = rng.random((len(chosen), 1), np.float32)
        share = np.where(rng.random((len(chosen), 1)) < self.embedding_mix, share, 0)
        mixture = Mixture(others[self.rows], share[self.rows].astype(np.float32))
        return self.speech(utterances[self.rows], mixture)

    def _wrong_speech(self, wrong: Integers, rng: np.random.Generator) -> Floats | Sequences | None:
        # Drawn in any case: the noise that follows is the same, too. Never mixed: where it was,
        # less of what is said was drawn (docs/method.md, "What our default does otherwise").
        utterances = self.pictures.utterances(wrong, rng)
        return self.speech(utterances[self.rows]) if self.wrong_speech else None

    def _wrong_pictures(
        self, images: Integers, rng: np.random.Generator
    ) -> npt.NDArray[np.uint8] | Crops | None:
        return self.pixels.crops(images, self.crop, rng, self.rows) if self.wrong_pictures else None

    def _noise(self, dimension: int, rng: np.random.Generator) -> Floats:
        return rng.standard_normal((self.batch_size, dimension), np.float32)[self.rows]
