"""What a batch holds of its captions: embeddings known beforehand, or what an encoder reads."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from s2igan.engine.arrays import Array, Ragged
from s2igan.sen.batches import pad_frames, release_pages

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_CHUNK = 8192  # embeddings in memory at once


class Mixture(NamedTuple):
    """Second captions of the same pictures, and how far each condition lies towards them."""

    others: Integers  # (N,) utterances
    shares: Floats  # (N, 1) in [0, 1); 0 leaves the first caption alone


@dataclass(frozen=True)
class Sequences:
    """What an encoder reads of N captions, and of the second captions of some.

    Attributes:
        values: ``(M, T, ...)`` float32, padded; the first N belong to the captions.
        lengths: ``(M,)`` int64.
        partners: ``(N,)`` int64, the row that each caption is mixed with, its own where it stands
            alone; None where none is mixed.
        shares: ``(N, 1)`` float32, see :class:`Mixture`; None where none is mixed.
    """

    values: Floats
    lengths: Integers
    partners: Integers | None = None
    shares: Floats | None = None


class EmbeddedSpeech:
    """Embeddings of a frozen encoder.

    Args:
        embeddings: ``(utterances, E)`` float32, perhaps a memory map.
    """

    def __init__(self, embeddings: Array) -> None:
        self.embeddings = embeddings
        self.embedding_dim: int = embeddings.shape[1]

    def __call__(self, utterances: Integers, mixture: Mixture | None = None) -> Floats:
        """Return ``(N, E)`` embeddings; mixed ones lie on the arc between two, of unit length."""
        speech = np.asarray(self.embeddings[utterances], np.float32)
        if mixture is None:
            return speech
        mixed = speech + mixture.shares * (self.embeddings[mixture.others] - speech)
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.asarray(mixed / np.maximum(lengths, 1e-12), np.float32)

    def statistics(self, captions: Integers) -> tuple[Floats, float]:
        """Return the mean ``(E,)`` of the captions' embeddings, and the deviation from it.

        The deviation is the root mean square over captions and dimensions.

        Args:
            captions: ``(N,)`` their row numbers.

        Raises:
            ValueError: if they are no integers: a mask would be taken for rows 0 and 1.
        """
        if captions.dtype.kind not in "iu":
            raise ValueError(f"captions are {captions.dtype}, expected row numbers")
        captions = np.sort(captions)
        total, squares = np.zeros(self.embedding_dim), 0.0
        for start in range(0, len(captions), _CHUNK):
            rows = np.asarray(self.embeddings[captions[start : start + _CHUNK]], np.float64)
            total += rows.sum(axis=0)
            squares += float(np.square(rows).sum())
        mean = total / len(captions)
        variance = squares / (len(captions) * len(mean)) - float(np.square(mean).mean())
        return mean.astype(np.float32), max(variance, 1e-12) ** 0.5


class SpokenSpeech:
    """What a learning encoder reads.

    Args:
        sequences: of every utterance of the corpus.
        embedding_dim: E, what the encoder makes of them.
    """

    def __init__(self, sequences: Ragged, embedding_dim: int) -> None:
        self.sequences, self.embedding_dim = sequences, embedding_dim

    def __call__(self, utterances: Integers, mixture: Mixture | None = None) -> Sequences:
        """Return padded sequences; a second caption stands there only where it is mixed in."""
        partners = shares = None
        if mixture is not None:
            mixed = np.flatnonzero(mixture.shares[:, 0])
            partners = np.arange(len(utterances))
            partners[mixed] = len(utterances) + np.arange(len(mixed))
            utterances = np.concatenate([utterances, mixture.others[mixed]])
            shares = mixture.shares
        values, lengths = pad_frames(self.sequences, utterances)
        release_pages(self.sequences.values)
        return Sequences(values, lengths, partners, shares)


SpeechSource = EmbeddedSpeech | SpokenSpeech
"""Gives what a batch holds of captions: embeddings, or sequences for an encoder that learns."""
