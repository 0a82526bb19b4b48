"""Embeddings of many utterances by an encoder at hand, on disk instead of in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s2igan.engine.arrays import Array, Ragged, write_placed
from s2igan.engine.distributed import apart
from s2igan.engine.progress import Bar, bar
from s2igan.engine.seeding import numpy_generator
from s2igan.rdg.calibration import calibrated
from s2igan.rdg.speech_source import Integers
from s2igan.sen.batches import pad_frames, release_pages
from s2igan.sen.encode import encode_speech
from s2igan.sen.encoder import DescriptionEncoder

FRAMES_PER_BATCH = 32_768  # padding included; bounds memory and changes no embedding
_CALIBRATION_BATCHES, _CALIBRATION_BATCH = 16, 64
_CALIBRATION = 4  # key of a random stream, beside those of batches and steps


def embed_utterances(
    encoder: DescriptionEncoder,
    sequences: Ragged,
    utterances: Integers,
    *,
    folder: Path,
    device: torch.device,
    name: str,
) -> Array:
    """Embed every one of ``utterances`` once, in float32.

    Embeddings of an untrained encoder differ from each other by less than bfloat16 resolves.

    Args:
        encoder: on ``device``, in evaluation mode.
        sequences: what the encoder reads of every utterance of the corpus.
        utterances: ``(U,)`` which to embed; one may stand there several times.
        folder: the disk that holds them; the file has no name and goes with the array.
        device: where to compute.
        name: of the stage, for the bar of progress.

    Returns:
        ``(utterances of the corpus, E)`` float32 memory map, zero where not asked for; what is zero
        takes no room.
    """
    wanted = np.unique(utterances)
    folder.mkdir(parents=True, exist_ok=True)
    progress: Bar[None] = bar(len(wanted), f"{name}: embed", unit="utterances")
    with tempfile.TemporaryFile(dir=folder) as file, progress:
        for positions, found in encode_speech(
            encoder,
            sequences,
            wanted,
            frames_per_batch=FRAMES_PER_BATCH,
            device=device,
            precision="float32",
        ):
            write_placed(file, wanted[positions], found)
            progress.update(len(found))
        shape = (len(sequences), encoder.embedding_dim)
        embeddings: Array = np.memmap(file, np.float32, "r+", shape=shape)
    return embeddings


def calibrated_encoder(
    encoder: DescriptionEncoder,
    sequences: Ragged,
    captions: Integers,
    *,
    seed: int,
    device: torch.device,
) -> DescriptionEncoder:
    """Return a copy in evaluation mode whose batch norms know the training captions.

    Args:
        encoder: on ``device``; is left as it is.
        sequences: what the encoder reads of every utterance of the corpus.
        captions: the training captions; 1,024 of them are drawn, or all where there are fewer.
        seed: draws them.
        device: where to compute.
    """

    def batches() -> Iterator[tuple[Tensor, ...]]:
        drawn = numpy_generator(seed, _CALIBRATION).permutation(np.sort(captions))
        drawn = drawn[: _CALIBRATION_BATCHES * _CALIBRATION_BATCH]
        for part in np.array_split(drawn, -(-len(drawn) // _CALIBRATION_BATCH)):
            values, lengths = pad_frames(sequences, part)
            release_pages(sequences.values)
            yield torch.from_numpy(values).to(device), torch.from_numpy(lengths).to(device)

    # Few and small batches, the same on every process: nothing to share, or to differ by.
    with apart():
        return calibrated(encoder, batches(), device=device, precision="float32")
