"""The colours of plumage, and how one drawing differs from the next in them."""

from typing import Final

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float64]
"""(3,) RGB, 0..255."""

PLUMAGE: Final[dict[str, tuple[int, int, int]]] = {
    "red": (206, 38, 36),
    "yellow": (246, 208, 44),
    "green": (44, 150, 62),
    "blue": (42, 96, 208),
    "brown": (126, 76, 38),
    "black": (34, 34, 39),
    "white": (244, 243, 238),
    "grey": (124, 128, 136),
}

LIGHT_PLUMAGE: Final = frozenset({"white", "yellow"})
"""Plumage on which markings are dark; on all other they are pale."""


def plumage(name: str, rng: np.random.Generator) -> Colour:
    """Draw one individual's shade of a colour word: a little lighter or darker, purer or duller."""
    colour = np.asarray(PLUMAGE[name], float)
    brightness, purity = rng.uniform(0.95, 1.05), rng.uniform(0.90, 1.08)
    grey = colour.mean()
    return np.asarray(np.clip((grey + (colour - grey) * purity) * brightness, 0, 255))


def shade(colour: Colour, amount: float) -> Colour:
    """Darken by ``amount`` in 0..1; black plumage is lightened, so that its parts stay apart."""
    if colour.max() < 60:
        return lighten(colour, amount * 0.6)
    return np.asarray(colour * (1 - amount))


def lighten(colour: Colour, amount: float) -> Colour:
    """Mix with white by ``amount`` in 0..1."""
    return np.asarray(colour + (255.0 - colour) * amount)
