"""Generators seeded by a configured seed and by what is being drawn, never by global state.

Keys are hashed by :class:`numpy.random.SeedSequence`, so streams of neighbouring keys are
independent, and no draw depends on the number of workers or on the batch size.
"""

import numpy as np
import torch


def numpy_generator(seed: int, *key: int) -> np.random.Generator:
    """Return the NumPy stream of ``(seed, *key)``; all are non-negative integers."""
    return np.random.default_rng(_sequence(seed, key))


def torch_generator(seed: int, *key: int) -> torch.Generator:
    """Return the PyTorch stream of ``(seed, *key)``, on the CPU."""
    state = _sequence(seed, key).generate_state(1, np.uint64)[0]
    # PyTorch takes seeds of 64 bits, NumPy gives them unsigned; the top bit is dropped.
    return torch.Generator().manual_seed(int(state) >> 1)


def _sequence(seed: int, key: tuple[int, ...]) -> np.random.SeedSequence:
    # As entropy, (1,) and (1, 0) would be the same; a spawn key counts its zeros.
    return np.random.SeedSequence(seed, spawn_key=key)
