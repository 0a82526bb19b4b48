"""The command ``s2igan info``."""

from s2igan.serving.card import read_card
from s2igan.serving.locate import find_model
from s2igan.serving.model_card import summary
from s2igan.serving.networks import load_networks


def describe(spec: str | None) -> str:
    """Return what a model says of itself, at most 100 columns wide.

    Args:
        spec: see :func:`s2igan.serving.locate.find_model`.

    Raises:
        UserError: if there is no such model or it is broken.
    """
    folder = find_model(spec)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return summary(read_card(folder), load_networks(folder), str(folder), size)
