"""The operations of a step's products, those that PyTorch's counter passes over among them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

Shape = Sequence[int]


def products_of(step: Callable[[], object]) -> int:
    """Take ``step`` and return the FLOP of its matrix products and convolutions.

    Those of a GRU or LSTM count wherever it runs: on a CPU, in cuDNN, in
    :mod:`s2igan.sen.paired_gru`.
    """
    with FlopCounterMode(display=False, custom_mapping=_LACKING) as counter:
        step()
    return int(counter.get_total_flops())


def _added(_: Shape, one: Shape, other: Shape, **__: Any) -> int:
    return 2 * math.prod(one) * other[-1]


def _forwards(frames: Shape, weights: Sequence[Shape], *_: Any, **__: Any) -> int:
    # Every frame, (..., F), meets every weight of every layer once; biases have one axis.
    return 2 * math.prod(frames[:-1]) * sum(math.prod(w) for w in weights if len(w) == 2)


def _backwards(*shapes: Any, **named: Any) -> int:
    return 2 * _forwards(*shapes, **named)  # towards the frames and towards the weights


def _layer_forwards(frames: Shape, *weights: Any, **named: Any) -> int:
    return _forwards(frames, weights[:2], **named)


def _layer_backwards(frames: Shape, *weights: Any, **named: Any) -> int:
    return 2 * _layer_forwards(frames, *weights, **named)


_LACKING = {
    torch.ops.aten.baddbmm_: _added,
    torch.ops.aten.mkldnn_rnn_layer: _layer_forwards,  # an LSTM on a CPU
    torch.ops.aten.mkldnn_rnn_layer_backward: _layer_backwards,
    torch.ops.aten._cudnn_rnn: _forwards,
    torch.ops.aten._cudnn_rnn_backward: _backwards,
}
