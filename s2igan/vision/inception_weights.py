"""From the tensors of a published Inception-v3 file to those of the folded network."""

from collections.abc import Iterable, Mapping

from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights

BATCH_NORM_EPS = 0.001

_BATCH_NORM = ("running_mean", "running_var", "weight", "bias")


def fold_batch_norm(tensors: Mapping[str, Tensor], ignored: tuple[str, ...]) -> dict[str, Tensor]:
    """Write every batch normalisation into the convolution before it.

    Args:
        tensors: with torchvision's names, ``<unit>.conv.weight``, ``<unit>.bn.running_mean`` ….
        ignored: beginnings and ends of names to leave out.

    Returns:
        ``<unit>.weight`` and ``<unit>.bias``, float32, computed in float64; and as they were all
        tensors that do not make up a convolution with its normalisation.
    """
    rest = {
        name: value
        for name, value in tensors.items()
        if not (name.startswith(ignored) or name.endswith(ignored))
    }
    folded: dict[str, Tensor] = {}
    for key in [name for name in rest if name.endswith(".conv.weight")]:
        unit = key.removesuffix(".conv.weight")
        norm = [f"{unit}.bn.{part}" for part in _BATCH_NORM]
        if all(name in rest and rest[name].shape == rest[key].shape[:1] for name in norm):
            mean, variance, scale, shift = (rest.pop(name).double() for name in norm)
            weight, bias = fuse_conv_bn_weights(
                rest.pop(key).double(), None, mean, variance, BATCH_NORM_EPS, scale, shift
            )
            folded |= {f"{unit}.weight": weight.float(), f"{unit}.bias": bias.float()}
    return {**folded, **rest}


def published_name(key: str) -> str:
    """Turn ``trunk.<block>.….<layer>.weight`` into ``<block>.<layer>.weight``, as files have it.

    The layers of the stem are blocks of their own, ``Conv2d_1a_3x3.weight``.
    """
    *path, layer, parameter = key.split(".")
    parts = [*path[1:2], layer, parameter]
    return ".".join(dict.fromkeys(parts))


def name_layers(missing: Iterable[str], held: Iterable[str]) -> tuple[str, ...]:
    """Name what a file lacks: whole blocks where it has nothing of them, else single layers.

    Args:
        missing: names of missing tensors, ``<block>.<layer>.<parameter>``.
        held: names of the tensors that it has.
    """
    begun = {name.partition(".")[0] for name in held}
    layers = []
    for name in missing:
        block = name.partition(".")[0]
        layers.append(name.rpartition(".")[0] if block in begun else block)
    return tuple(dict.fromkeys(layers))
