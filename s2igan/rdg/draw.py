"""From speech embeddings to pictures by a trained generator."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.device import Precision, autocast
from s2igan.engine.distributed import rank, shared_to_first, world
from s2igan.engine.pictures import Picture
from s2igan.engine.seeding import numpy_generator
from s2igan.rdg.generator import Generator


def noise_vectors(
    seed: int, indices: Sequence[int], dimension: int, truncation: float | None = None
) -> npt.NDArray[np.float32]:
    """Return float32 noise ``(N, dimension)``; an index gives one vector, whatever is beside it.

    Args:
        seed: of all vectors.
        indices: ``(N,)`` which vectors.
        dimension: values per vector.
        truncation: above 0; values beyond this many standard deviations are drawn again, which
            takes the longer the smaller it is. None = never.
    """
    vectors = np.empty((len(indices), dimension), np.float32)
    for vector, index in zip(vectors, indices, strict=True):
        rng = numpy_generator(seed, index)
        vector[:] = rng.standard_normal(dimension, np.float32)
        while truncation is not None and (beyond := np.abs(vector) > truncation).any():
            vector[beyond] = rng.standard_normal(int(beyond.sum()), np.float32)
    return vectors


def to_uint8(images: Tensor) -> Picture:
    """``(N, 3, S, S)`` float in [-1, 1] → ``(N, S, S, 3)`` uint8."""
    levels = (images.float().clamp(-1, 1) + 1) * 127.5
    pictures: Picture = levels.round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return pictures


@torch.inference_mode()
def draw(
    generator: Generator,
    embeddings: npt.NDArray[np.float32],
    noise: npt.NDArray[np.float32],
    *,
    device: torch.device,
    precision: Precision,
    ca_noise: bool = True,
) -> Picture:
    """Draw one batch of pictures at the last scale.

    Args:
        generator: in evaluation mode, on ``device``.
        embeddings: ``(N, E)`` speech embeddings.
        noise: ``(N, noise_dim + condition_dim)`` from :func:`noise_vectors`: z, then F_ca's.
        device: where to compute.
        precision: of the convolutions.
        ca_noise: whether F_ca is sampled; else its mean is taken.

    Returns:
        ``(N, S, S, 3)`` uint8.
    """
    z, condition_noise = np.split(noise, [generator.noise_dim], axis=1)
    if not ca_noise:
        condition_noise = np.zeros_like(condition_noise)
    inputs = (torch.as_tensor(values).to(device) for values in (embeddings, z, condition_noise))
    with autocast(device, precision):
        return to_uint8(generator(*inputs).images[-1])


def draw_all(
    generator: Generator,
    embeddings: npt.NDArray[np.float32],
    utterances: Sequence[int],
    noise: Sequence[int],
    condition_noise: Sequence[int],
    *,
    seed: int,
    batch_size: int,
    device: torch.device,
    precision: Precision,
    ca_noise: bool = True,
    truncation: float | None = None,
) -> Iterator[Picture]:
    """Yield batches ``(n, S, S, 3)`` uint8, one picture per utterance and its noise indices.

    Processes take turns; the first one gets all batches, the others none.

    Args:
        generator: in evaluation mode, on ``device``.
        embeddings: ``(all utterances, E)`` speech embeddings, perhaps a memory map.
        utterances: ``(N,)`` rows of ``embeddings``.
        noise: ``(N,)`` noise indices of z.
        condition_noise: ``(N,)`` noise indices of F_ca.
        seed: of the noise.
        batch_size: pictures per forward pass.
        device: where to compute.
        precision: of the convolutions.
        ca_noise: whether F_ca is sampled; else its mean is taken.
        truncation: see :func:`noise_vectors`.
    """
    z_dim, dimension = generator.noise_dim, generator.noise_dim + generator.condition_dim
    starts = range(0, len(utterances), batch_size)

    def drawn(start: int) -> Picture:
        part = slice(start, start + batch_size)
        # An index gives the same vector for either, so one index for both is one vector.
        z, condition = (
            noise_vectors(seed, indices[part], dimension, truncation)
            for indices in (noise, condition_noise)
        )
        return draw(
            generator,
            np.asarray(embeddings[np.asarray(utterances[part])], np.float32),
            np.hstack([z[:, :z_dim], condition[:, z_dim:]]),
            device=device,
            precision=precision,
            ca_noise=ca_noise,
        )

    yield from shared_to_first(map(drawn, starts[rank() :: world()]), len(starts))
