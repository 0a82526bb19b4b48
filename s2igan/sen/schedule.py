"""Learning rate over the course of training."""

import math
from typing import Literal


def learning_rate(
    step: int,
    *,
    steps: int,
    lr: float,
    schedule: Literal["step", "cosine"],
    warmup_steps: int,
    decay_every_steps: int,
    decay_factor: float,
) -> float:
    """Learning rate of ``step``, 0, 1, … ``steps`` - 1.

    Args:
        step: the step about to be taken.
        steps: length of training.
        lr: highest learning rate.
        schedule: ``step`` multiplies by ``decay_factor`` every ``decay_every_steps`` (the paper's
            code, 0.1 every 50 epochs), ``cosine`` falls to 0 at the end.
        warmup_steps: linear rise before that; paper 0.
        decay_every_steps: read by ``step``.
        decay_factor: read by ``step``.

    Raises:
        ValueError: if ``schedule`` is another word.
    """
    if schedule not in ("step", "cosine"):
        raise ValueError(f"schedule is {schedule!r}, expected step or cosine")
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    if schedule == "step":
        return lr * decay_factor ** (step // decay_every_steps)
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return lr * 0.5 * (1 + math.cos(math.pi * progress))
