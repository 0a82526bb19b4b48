"""A trained model that draws what it is told."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from s2igan.engine.device import choose_device
from s2igan.engine.pictures import Picture
from s2igan.engine.threads import one_thread
from s2igan.errors import UserError
from s2igan.rdg.draw import draw, noise_vectors
from s2igan.serving.card import own_recordings, read_card
from s2igan.serving.hearing import Hearing
from s2igan.serving.limits import LARGEST_SEED, LEAST_TRUNCATION, MOST_PICTURES
from s2igan.serving.networks import Networks, load_networks
from s2igan.serving.recording import Recording
from s2igan.speech.audio import Samples

Floats = npt.NDArray[np.float32]

_ROUNDED = 1e-5  # by which float32 may miss unit length
_SMALL = 128  # side of a picture, pixels, up to which one thread computes


class SpeechToImage:
    """Speech in, pictures out.

    Every recording is embedded and every picture drawn by itself, so nothing depends on what stands
    beside it.

    Args:
        networks: the speech encoder and the generator.
        card: what the model was trained on, its figures and licence; see
            :mod:`s2igan.serving.card`.
        device: where to compute.

    Attributes:
        card: see above.
        image_size: side S of a picture, pixels.
        embedding_dim: E, numbers of an embedding.
        sample_rate_hz: rate that recordings are brought to, Hz.
        device: where it computes.
    """

    def __init__(self, networks: Networks, card: Mapping[str, Any], device: torch.device) -> None:
        self._encoder = networks.encoder.to(device)
        self._generator = networks.generator.to(device)
        self._hearing = Hearing(networks.encoder_description["mel"], own_recordings(card))
        self.card = card
        self.device = device
        self.image_size: int = networks.generator.sizes[-1]
        self.embedding_dim = networks.encoder.embedding_dim
        self.sample_rate_hz = self._hearing.sample_rate_hz

    @classmethod
    def load(cls, folder: str | Path, device: torch.device | None = None) -> Self:
        """Load an exported model or the ``artifacts/rdg`` of a pipeline.

        Args:
            folder: see :func:`s2igan.serving.locate.find_model`.
            device: where to compute; by default the machine's setting, said on stderr.

        Raises:
            UserError: if a file is missing or broken.
        """
        folder = Path(folder)
        return cls(load_networks(folder), read_card(folder), device or choose_device())

    def log_mel(self, recording: Recording) -> Floats:
        """Return what the model hears, ``(F, bands)`` float32 log-mel frames.

        Raises:
            UserError: if no sound, or less than one window of it, is left of the recording.
        """
        with self._threads():
            return self._hearing(recording)

    def sound(self, recording: Recording) -> Samples:
        """Return the sound behind :meth:`log_mel`, ``(n,)`` float32 at ``sample_rate_hz``.

        Raises:
            UserError: if none is left of the recording at that rate.
        """
        return self._hearing.prepared(recording)

    def embed(self, recordings: Sequence[Recording]) -> Floats:
        """Return speech embeddings, ``(N, E)`` float32 of unit length.

        Raises:
            UserError: as :meth:`log_mel`.
        """
        return self.embed_frames([self.log_mel(recording) for recording in recordings])

    @torch.inference_mode()
    def embed_frames(self, heard: Sequence[Floats]) -> Floats:
        """Return the embeddings of what :meth:`log_mel` gave, ``(N, E)`` float32 of unit length."""
        embeddings = np.empty((len(heard), self._encoder.embedding_dim), np.float32)
        with self._threads():
            for row, frames in enumerate(heard):
                batch = torch.from_numpy(frames)[None].to(self.device)
                lengths = torch.tensor([len(frames)], device=self.device)
                embeddings[row] = self._encoder(batch, lengths)[0].cpu().numpy()
        return embeddings

    def draw(
        self,
        embeddings: Floats,
        *,
        count: int = 1,
        seed: int = 0,
        truncation: float | None = None,
    ) -> Picture:
        """Draw pictures of speech embeddings.

        Args:
            embeddings: ``(N, E)`` from :meth:`embed`, or made of such; a row of another length is
                brought to unit length, as training mixes two captions.
            count: pictures of each; picture k has the same noise for every embedding, that with
                index k of the stage ``sample``.
            seed: of the noise.
            truncation: noise values beyond this many standard deviations are drawn again; smaller
                is plainer and less varied.

        Returns:
            ``(N, count, S, S, 3)`` uint8.

        Raises:
            UserError: if ``embeddings`` has another shape, a row of zeros or values that are not
                finite, or ``count``, ``seed`` or ``truncation`` lies outside of
                :mod:`s2igan.serving.limits`.
        """
        _check_draw(count, seed, truncation)
        directions = _of_unit_length(embeddings, self._generator.embedding_dim)
        size = self.image_size
        dimension = self._generator.noise_dim + self._generator.condition_dim
        noise = noise_vectors(seed, range(count), dimension, truncation)
        pictures = np.empty((len(directions), count, size, size, 3), np.uint8)
        with self._threads():
            for row, embedding in enumerate(directions):
                for column in range(count):
                    (pictures[row, column],) = draw(
                        self._generator,
                        embedding[None],
                        noise[column : column + 1],
                        device=self.device,
                        precision="float32",
                    )
        return pictures

    def _threads(self) -> AbstractContextManager[None]:
        return one_thread() if self.image_size <= _SMALL else nullcontext()


def _of_unit_length(embeddings: Floats, dimension: int) -> Floats:
    shape = np.shape(embeddings)
    if shape != (*shape[:1], dimension):
        raise UserError("embeddings", got=f"shape {shape}", expected=f"(N, {dimension})")
    rows = np.array(embeddings, np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    bad = ~((lengths > 0) & (lengths < np.inf))
    if bad.any():
        raise UserError(
            f"embedding {bad.argmax()}",
            got=f"a length of {lengths[bad][0]:g}",
            expected="finite values, not all of them 0",
        )
    # Those of an encoder are taken to the last bit.
    others = np.abs(lengths - 1) > _ROUNDED
    rows[others] /= lengths[others, None]
    return rows.astype(np.float32)


def _check_draw(count: int, seed: int, truncation: float | None) -> None:
    for name, value, low, high, expected in (
        ("count", count, 1, MOST_PICTURES, f"1 to {MOST_PICTURES}"),
        ("seed", seed, 0, LARGEST_SEED, f"0 to {LARGEST_SEED}"),
        ("truncation", truncation, LEAST_TRUNCATION, math.inf, f"at least {LEAST_TRUNCATION}"),
    ):
        if value is not None and not low <= value <= high:
            raise UserError(name, got=value, expected=expected)
