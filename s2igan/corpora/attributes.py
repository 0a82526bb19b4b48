"""The attributes a MiniBirds drawing is made of, and the order in which readers report them."""

from typing import Final

COLOURS: Final = ("red", "yellow", "green", "blue", "brown", "black", "white", "grey")
"""The eight colour words; :data:`VALUES` gives every coloured part these, in this order."""

COLOUR_PARTS: Final = ("crown", "back", "belly", "wing", "tail")
"""Parts of a bird whose colour is drawn, described, read and swapped."""

VALUES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(COLOUR_PARTS, COLOURS),
    "wing_bars": ("plain", "barred"),
    "size": ("small", "medium", "large"),
    "bill": ("short", "long", "hooked"),
}
"""Values of every attribute; their order is the class order of a reader's logits."""

ATTRIBUTES: Final = tuple(VALUES)
"""All eight attributes, colours first."""
