"""Names of pretrained networks: which network, whose weights, which layers."""

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


def parse_backbone(name: str) -> BackboneName:
    """Take a name apart.

    Args:
        name: ``<network>``, or ``<network>/<layer>`` with further layers behind ``+``.

    Raises:
        ValueError: if network or layer are unknown, or a layer stands there twice.
    """
    if name == FINE_TUNED:
        raise ValueError(f"{name} serves the inception score alone, as evaluate.is_backbone")
    if name in LAYERS:
        return BackboneName(name, (default_layer(name),))
    network, _, tail = name.rpartition("/")
    layers = tuple(tail.split("+"))
    if network not in LAYERS:
        raise ValueError(f"unknown network {name!r}; known are {', '.join(LAYERS)}")
    unknown = [layer for layer in layers if layer not in LAYERS[network]]
    if unknown or len(set(layers)) < len(layers):
        known = ", ".join(LAYERS[network])
        raise ValueError(f"{name!r} names layers other than {known}, or one of them twice")
    return BackboneName(network, layers)


def check_backbone(name: str) -> str:
    """Return a valid name of a network that training may look through, in its shortest form.

    Raises:
        ValueError: if it is unknown, or kept for evaluation.
    """
    parsed = parse_backbone(name)
    if parsed.network in JUDGES_ALONE:
        raise ValueError(f"{parsed.network} judges in evaluation and takes part in no training")
    return str(parsed)


def check_judge(name: str) -> str:
    """Return a valid name of any network, in its shortest form.

    Raises:
        ValueError: if it is unknown.
    """
    return str(parse_backbone(name))


def check_classifier(name: str) -> str:
    """Return a valid name of any network that the inception score may be taken from.

    Raises:
        ValueError: if it is unknown.
    """
    return name if name == FINE_TUNED else check_judge(name)
