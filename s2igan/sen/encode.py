"""Embedding many utterances or pictures with trained encoders, in bounded memory."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from s2igan.engine.arrays import Array, Ragged
from s2igan.engine.device import Precision, autocast
from s2igan.engine.distributed import rank, shared, world
from s2igan.sen.batches import Rows, pad_frames, release_pages
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.image_encoder import PictureEncoder

Embeddings = npt.NDArray[np.float32]

PICTURES_PER_BATCH = 1024


def length_buckets(lengths: Rows, frames_per_batch: int) -> Iterator[Rows]:
    """Split utterances into batches of similar length.

    Args:
        lengths: (U,) frames of every utterance.
        frames_per_batch: most frames in a batch, padding included; a longer utterance stands alone.

    Yields:
        Positions in ``lengths``; all of them once, shortest first.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= frames_per_batch:
            stop += 1
        yield order[start:stop]
        start = stop


def encode_speech(
    encoder: DescriptionEncoder,
    sequences: Ragged,
    utterances: Rows,
    *,
    frames_per_batch: int,
    device: torch.device,
    precision: Precision,
) -> Iterator[tuple[Rows, Embeddings]]:
    """Embed utterances, batched by length; processes take turns, and each gets all of them.

    Args:
        encoder: on ``device``, in evaluation mode.
        sequences: what the encoder reads of every utterance.
        utterances: (U,) rows of ``sequences``.
        frames_per_batch: bounds the memory of a batch, padding included.
        device: where to compute.
        precision: arithmetic of matrix products.

    Yields:
        (B,) positions in ``utterances`` and their (B, E) embeddings of unit length.
    """
    buckets = list(length_buckets(sequences.lengths[utterances], frames_per_batch))

    def encoded(positions: Rows) -> tuple[Rows, Embeddings]:
        frames, lengths = pad_frames(sequences, utterances[positions])
        release_pages(sequences.values)
        with torch.inference_mode(), autocast(device, precision):
            embeddings = encoder(
                torch.from_numpy(frames).to(device), torch.from_numpy(lengths).to(device)
            )
        return positions, embeddings.cpu().numpy()

    yield from shared(map(encoded, buckets[rank() :: world()]), len(buckets))


def encode_pictures(
    encoder: PictureEncoder,
    backbone: Array,
    *,
    device: torch.device,
    precision: Precision,
) -> Iterator[Embeddings]:
    """Embed pictures in their order; processes take turns, and each gets all of them.

    Args:
        encoder: on ``device``, in evaluation mode.
        backbone: (n, ..., D) float32, standardised backbone features.
        device: where to compute.
        precision: arithmetic of matrix products.

    Yields:
        (B, ..., E) embeddings of unit length.
    """
    starts = range(0, len(backbone), PICTURES_PER_BATCH)

    def encoded(start: int) -> Embeddings:
        block = np.array(backbone[start : start + PICTURES_PER_BATCH], np.float32)
        with torch.inference_mode(), autocast(device, precision):
            embeddings = encoder(torch.from_numpy(block).to(device))
        found: Embeddings = embeddings.cpu().numpy()
        return found

    yield from shared(map(encoded, starts[rank() :: world()]), len(starts))
