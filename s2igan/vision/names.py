"""Names of pretrained networks: which network, whose weights, which layers."""

from collections.abc import Collection
from typing import NamedTuple

LAYERS: dict[str, dict[str, int]] = {
    "compact": {"pool": 192},
    "reader": {"pool": 96},
    "squeezenet1_1/keras": {"pool": 512},
    "squeezenet1_1/torchvision": {"pool": 512},
    "inception_v3/torchvision": {"Mixed_6e": 768, "Mixed_7a": 1280, "pool": 2048},
    "inception_v3/fid2015": {"Mixed_6e": 768, "Mixed_7a": 1280, "pool": 2048},
    "torch_fidelity": {"768": 768, "2048": 2048},
}
"""Layers of every network and the size of each, averaged over the picture; the last is its default.

``torch_fidelity`` is that library's own extractor for IS and FID, with its own resizing.
"""

JUDGES_ALONE = ("reader", "torch_fidelity")
"""Networks that evaluation alone may use."""

_TRAINING = tuple(network for network in LAYERS if network not in JUDGES_ALONE)

FINE_TUNED = "fine_tuned"
"""A network fine-tuned on the test classes; the inception score alone may be taken from it."""


class BackboneName(NamedTuple):
    """A parsed name such as ``inception_v3/fid2015/Mixed_6e+Mixed_7a``."""

    network: str
    layers: tuple[str, ...]

    def __str__(self) -> str:
        if self.layers == (default_layer(self.network),):
            return self.network
        return f"{self.network}/{'+'.join(self.layers)}"


def default_layer(network: str) -> str:
    """Return the layer that a name without layers means."""
    return list(LAYERS[network])[-1]


def parse_backbone(name: str, networks: Collection[str] = tuple(LAYERS)) -> BackboneName:
    """Take a name apart.

    Args:
        name: ``<network>``, or ``<network>/<layer>`` with further layers behind ``+``.
        networks: those that may be named.

    Raises:
        ValueError: saying what is expected, if the network is none of them, a layer is unknown or
            stands there twice.
    """
    if name == FINE_TUNED:
        raise ValueError(
            f"another network, since {name} serves the inception score alone, as "
            "evaluate.is_backbone"
        )
    if name in networks:
        return BackboneName(name, (default_layer(name),))
    network, _, tail = name.rpartition("/")
    layers = tuple(tail.split("+"))
    if network not in networks:
        raise ValueError(f"one of {', '.join(networks)}")
    if not set(layers) <= set(LAYERS[network]) or len(set(layers)) < len(layers):
        raise ValueError(f"layers of {network}, each once: {', '.join(LAYERS[network])}")
    return BackboneName(network, layers)


def check_backbone(name: str) -> str:
    """Return a valid name of a network that training may look through, in its shortest form.

    Raises:
        ValueError: saying what is expected, if it is unknown, or kept for evaluation.
    """
    network = name.partition("/")[0]
    if network in JUDGES_ALONE:
        raise ValueError(
            f"one of {', '.join(_TRAINING)}, since {network} judges in evaluation and takes part "
            "in no training"
        )
    return str(parse_backbone(name, _TRAINING))


def check_judge(name: str) -> str:
    """Return a valid name of any network, in its shortest form.

    Raises:
        ValueError: saying what is expected, if it is unknown.
    """
    return str(parse_backbone(name))


def check_classifier(name: str) -> str:
    """Return a valid name of any network that the inception score may be taken from.

    Raises:
        ValueError: saying what is expected, if it is unknown.
    """
    if name == FINE_TUNED:
        return name
    try:
        return check_judge(name)
    except ValueError as error:
        raise ValueError(f"{FINE_TUNED}, or {error}") from error
