"""SEN once more, utterance by utterance, so that there is no padding to go wrong.

Nothing here is shared with the product but the names of the weights. All in float64.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def convolved(frames: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Slide a window over ``(T, in)``; only windows that lie inside count, ``(T', out)``."""
    kernel = weight.shape[2]
    windows = [
        frames[start : start + kernel] for start in range(0, len(frames) - kernel + 1, stride)
    ]
    rows = torch.stack(windows).transpose(1, 2).flatten(1)  # (T', in * kernel)
    return rows @ weight.flatten(1).T + bias


def normalised_together(utterances: list[Tensor], scale: Tensor, shift: Tensor) -> list[Tensor]:
    """Batch norm in training mode: the statistics of all frames of all utterances."""
    frames = torch.cat(utterances)
    mean = frames.mean(dim=0)
    deviation = ((frames - mean).square().mean(dim=0) + 1e-5).sqrt()
    return [(frames - mean) / deviation * scale + shift for frames in utterances]


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def gru(frames: Tensor, state: State) -> Tensor:
    """One direction of one layer, cell by cell, ``(T, in)`` → ``(T, hidden)``."""
    hidden = frames.new_zeros(state["weight_hh_l0"].shape[1])
    states = []
    for frame in frames:
        seen = state["weight_ih_l0"] @ frame + state["bias_ih_l0"]
        kept = state["weight_hh_l0"] @ hidden + state["bias_hh_l0"]
        reset, update, new = zip(seen.chunk(3), kept.chunk(3), strict=True)
        r, z = sigmoid(reset[0] + reset[1]), sigmoid(update[0] + update[1])
        n = torch.tanh(new[0] + r * new[1])
        hidden = (1 - z) * n + z * hidden
        states.append(hidden)
    return torch.stack(states)


def below(state: State, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def speech_embeddings(state: State, utterances: list[Tensor], stride: int, relu: bool) -> Tensor:
    """SED: ``(T, bands)`` per utterance → ``(n, E)`` of unit length."""
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("norms."))
    for layer in range(layers):
        convolution, norm = below(state, f"convolutions.{layer}."), below(state, f"norms.{layer}.")
        utterances = [
            convolved(frames, convolution["weight"], convolution["bias"], stride)
            for frames in utterances
        ]
        utterances = normalised_together(utterances, norm["weight"], norm["bias"])
        if relu:
            utterances = [frames.clamp(min=0) for frames in utterances]
    embeddings = [pooled(state, recurrent(state, frames)) for frames in utterances]
    return torch.stack(embeddings)


def recurrent(state: State, frames: Tensor) -> Tensor:
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("gru."))
    for layer in range(layers):
        ahead = gru(frames, below(state, f"gru.forwards.{layer}."))
        back = gru(frames.flip(0), below(state, f"gru.backwards.{layer}.")).flip(0)
        frames = torch.cat([ahead, back], dim=1)
    return frames


def pooled(state: State, frames: Tensor) -> Tensor:
    hidden = torch.tanh(
        frames @ state["attention.hidden.weight"].T + state["attention.hidden.bias"]
    )
    scores = (hidden @ state["attention.score.weight"].T + state["attention.score.bias"]).exp()
    vector: Tensor = (scores / scores.sum(dim=0) * frames).sum(dim=0)
    if "project.weight" in state:
        vector = state["project.weight"] @ vector + state["project.bias"]
    unit: Tensor = vector / vector.norm()
    return unit


def image_embeddings(state: State, features: Tensor) -> Tensor:
    mapped = features @ state["project.weight"].T + state["project.bias"]
    unit: Tensor = mapped / mapped.norm(dim=1, keepdim=True)
    return unit


def matching(speech: Tensor, image: Tensor, labels: list[int], beta: float) -> Tensor:
    """Eqs. (1) to (4), pair by pair, summed over the batch."""
    total = speech.new_zeros(())
    for a, b in ((speech, image), (image, speech)):
        for i in range(len(labels)):
            likeness = [
                (beta * (a[i] @ b[j]) / a[i].norm() / b[j].norm()).exp() for j in range(len(labels))
            ]
            mask = [0.0 if labels[i] == labels[j] and i != j else 1.0 for j in range(len(labels))]
            below_line = sum(m * s for m, s in zip(mask, likeness, strict=True))
            total = total - (likeness[i] / below_line).log()
    return total


def distinctive(state: State, speech: Tensor, image: Tensor, labels: list[int]) -> Tensor:
    """Eq. (5), summed over the batch."""
    total = speech.new_zeros(())
    for embeddings in (speech, image):
        powers = (embeddings @ state["weight"].T + state["bias"]).exp()
        for row, label in zip(powers, labels, strict=True):
            total = total - (row[label] / row.sum()).log()
    return total
