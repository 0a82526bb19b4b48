"""The networks and losses of the RDG once more, from the paper and StackGAN-v2's topology alone.

Nothing here is shared with the product but the names of the weights: functions of a state dict and
of arrays, in float64, with the condition tiled, sigmoids written out and statistics taken by hand.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]
LAST_SIDE = 4


def part(state: State, prefix: str) -> dict[str, Tensor]:
    """The entries below ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def batch_norm(x: Tensor, norm: State) -> Tensor:
    axes = [axis for axis in range(x.dim()) if axis != 1]
    mean = x.mean(dim=axes, keepdim=True)
    variance = (x - mean).square().mean(dim=axes, keepdim=True)
    shape = [1, -1, *(1 for _ in axes[1:])]
    scaled = (x - mean) / (variance + 1e-5).sqrt()
    return scaled * norm["weight"].view(shape) + norm["bias"].view(shape)


def gate(x: Tensor) -> Tensor:
    half = x.shape[1] // 2
    return x[:, :half] / (1 + torch.exp(-x[:, half:]))


def tiled(condition: Tensor, side: int) -> Tensor:
    return condition[:, :, None, None].expand(-1, -1, side, side)


def enlarged(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def conv_glu(x: Tensor, block: State) -> Tensor:
    return gate(batch_norm(F.conv2d(x, block["conv.weight"], padding=1), part(block, "norm.")))


def residual(x: Tensor, block: State) -> Tensor:
    inner = conv_glu(x, part(block, "block."))
    inner = F.conv2d(inner, block["conv.weight"], padding=1)
    return x + batch_norm(inner, part(block, "norm."))


def numbered(state: State) -> list[dict[str, Tensor]]:
    """Layers of a Sequential, in order."""
    places = sorted({int(name.split(".")[0]) for name in state})
    return [part(state, f"{place}.") for place in places]


def augmented(state: State, speech: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """F_ca: mean, log-variance and a sample."""
    hidden = speech @ state["linear.weight"].T + state["linear.bias"]
    mu, logvar = gate(hidden).chunk(2, dim=1)
    return mu, logvar, mu + noise * (logvar / 2).exp()


def generate(
    state: State, speech: Tensor, z: Tensor, noise: Tensor, dense: str
) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Eq. (7): three pictures, and what F_ca made of the speech."""
    mu, logvar, condition = augmented(part(state, "conditioning."), speech, noise)
    first = part(state, "first.")
    h = torch.cat([condition, z], dim=1) @ first["linear.weight"].T
    h = gate(batch_norm(h, part(first, "norm."))).reshape(len(h), -1, LAST_SIDE, LAST_SIDE)
    for block in numbered(part(first, "up.")):
        h = conv_glu(enlarged(h), part(block, "block."))
    maps = [h]
    for stage in numbered(part(state, "later.")):
        side = maps[-1].shape[-1]
        seen = [maps[-1]]
        if dense == "paper" and len(maps) == 2:
            seen = [enlarged(maps[0]), maps[1]]
        joint = torch.cat([tiled(condition, side), *seen], dim=1)
        x = F.conv2d(joint, stage["joint.weight"], padding=1)
        x = gate(batch_norm(x, part(stage, "norm.")))
        for block in numbered(part(stage, "residual.")):
            x = residual(x, block)
        if dense == "released":
            x = torch.cat([x, maps[-1]], dim=1)
        maps.append(conv_glu(enlarged(x), part(stage, "up.block.")))
    painters = numbered(part(state, "to_image."))
    images = [
        torch.tanh(F.conv2d(h, painter["conv.weight"], padding=1))
        for h, painter in zip(maps, painters, strict=True)
    ]
    return images, mu, logvar, condition


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def trunk(state: State, images: Tensor) -> Tensor:
    x = images
    for layer in numbered(part(state, "trunk.")):
        weight = layer["0.weight"]
        stride = 2 if weight.shape[-1] == 4 else 1
        x = F.conv2d(x, weight, stride=stride, padding=1)
        if "1.weight" in layer:
            x = batch_norm(x, part(layer, "1."))
        x = leaky(x)
    return x


def probabilities(state: State, images: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """D_i(I, F_ca(A)) and D_i(I), each ``(N,)`` in (0, 1)."""
    features = trunk(state, images)
    joint = torch.cat([tiled(condition, LAST_SIDE), features], dim=1)
    joint = F.conv2d(joint, state["joint.weight"], padding=1)
    joint = leaky(batch_norm(joint, part(state, "joint_norm.")))

    def last(x: Tensor, name: str) -> Tensor:
        kernel = state[f"{name}.weight"].view(1, -1, LAST_SIDE, LAST_SIDE)
        logits = F.conv2d(x, kernel, bias=state[f"{name}.bias"]).flatten()
        return 1 / (1 + torch.exp(-logits))

    return last(joint, "conditional"), last(features, "unconditional")


def log_loss(probability: Tensor, real: bool) -> Tensor:
    return -(probability if real else 1 - probability).log().mean()


def relation_probabilities(state: State, truth: Tensor, others: Sequence[Tensor]) -> list[Tensor]:
    """RS on pairs with the ground truth; all pairs of a step share one batch norm."""
    pairs = torch.cat([torch.cat([truth, other], dim=1) for other in others])
    hidden = pairs @ state["layers.0.weight"].T + state["layers.0.bias"]
    hidden = batch_norm(hidden, part(state, "layers.1.")).clamp(min=0)
    logits = hidden @ state["layers.3.weight"].T + state["layers.3.bias"]
    powers = logits.exp()
    return list((powers / powers.sum(dim=1, keepdim=True)).chunk(len(others)))
