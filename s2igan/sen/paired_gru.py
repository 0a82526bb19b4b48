"""Both directions of a GRU layer as one batched recurrence (paper §2.2).

A step of a recurrence is too small to fill a GPU, so that its time is that of its kernels, one
after the other. Two directions side by side take as many kernels as one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def paired_gru(ahead: nn.GRU, back: nn.GRU, x: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
    """Run two GRUs of one layer and equal sizes, each from a zero state over its own frames.

    Args:
        ahead: reads ``x``.
        back: reads ``mirrored``.
        x: (B, T, F) float.
        mirrored: (B, T, F) float.

    Returns:
        (B, T, H) states of ``ahead`` and of ``back``, in the dtype of autocast or else of ``x``.

    Note: on a GPU float32 means TF32 where it does in cuDNN's recurrent layers.
    """
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    # What is cast is cast here, once: autocast would meddle with every step, and has its own mind
    # about the dtype of a sum.
    with torch.autocast(kind, enabled=False):
        both = [frames.to(dtype).transpose(0, 1) for frames in (x, mirrored)]  # (T, B, F) each
        states = _Recurrence.apply(  # type: ignore[no-untyped-call]
            torch.stack(both),  # (2, T, B, F)
            _pair(ahead, back, "weight_ih_l0"),
            _pair(ahead, back, "bias_ih_l0"),
            _pair(ahead, back, "weight_hh_l0"),
            _pair(ahead, back, "bias_hh_l0"),
        )  # (2, T, B, H)
    past, future = states.transpose(1, 2).unbind()  # (B, T, H) each
    return past, future


def _pair(ahead: nn.GRU, back: nn.GRU, name: str) -> Tensor:
    return torch.stack([getattr(ahead, name), getattr(back, name)])


@contextmanager
def _products_as_in_cudnn() -> Iterator[None]:
    # In float32 cuDNN's layers take TF32 by default, PyTorch's products do not.
    products = torch.backends.cuda.matmul
    before = products.allow_tf32
    products.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        products.allow_tf32 = before


class _Recurrence(torch.autograd.Function):
    """Frames (2, T, B, F), their weights (2, 3H, F) and biases (2, 3H), and those of the states,
    (2, 3H, H) and (2, 3H) → states (2, T, B, H).

    The dtype is that of the frames; weights and biases are cast to it, their gradients back. Frames
    are multiplied here as well, for the sake of the precision of those products' gradients.
    """

    @staticmethod
    @_products_as_in_cudnn()
    def forward(
        ctx: Any,
        frames: Tensor,
        weight_ih: Tensor,
        bias_ih: Tensor,
        weight_hh: Tensor,
        bias_hh: Tensor,
    ) -> Tensor:
        _, steps, batch, _ = frames.shape
        ctx.dtype, dtype = weight_hh.dtype, frames.dtype
        weight_ih, weight_hh = weight_ih.to(dtype), weight_hh.to(dtype)
        bias_ih, bias_hh = bias_ih.to(dtype)[:, None], bias_hh.to(dtype)[:, None]
        gates = torch.baddbmm(bias_ih, frames.flatten(1, 2), weight_ih.mT)  # (2, T * B, 3H)
        given = gates.view(2, steps, batch, -1).transpose(0, 1).contiguous()
        given = given.flatten(1, 2)  # (T, 2 * B, 3H)
        # A product that adds to what is there is one kernel; one that copies the biases first, two.
        own = bias_hh.expand(steps, 2, batch, -1)  # (T, 2, B, 3H)
        own = own.clone(memory_format=torch.contiguous_format)
        state = frames.new_zeros(2 * batch, weight_hh.shape[-1])
        states, kept = [], []
        for step in range(steps):
            own[step].baddbmm_(state.view(2, batch, -1), weight_hh.mT)
            state, of_step = _cell(given[step], own[step].flatten(0, 1), state)
            states.append(state.view(2, batch, -1))  # (2, B, H)
            kept.append(of_step)
        stacked = torch.stack(states, dim=1)  # (2, T, B, H)
        ctx.save_for_backward(frames, weight_ih, weight_hh, stacked, *kept)
        return stacked

    @staticmethod
    @once_differentiable
    @_products_as_in_cudnn()
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        frames, weight_ih, weight_hh, states, *kept = ctx.saved_tensors
        with torch.autocast(states.device.type, enabled=False):
            arriving = gradients[0].transpose(0, 1).contiguous()  # (T, 2, B, H)
            of_given, of_own = _run_back(arriving, weight_hh, kept)  # (2, T, B, 3H) each
            of_gates = of_given.flatten(1, 2)  # (2, T * B, 3H)
            of_frames = torch.bmm(of_gates, weight_ih).view_as(frames)
            of_weight_ih = torch.bmm(of_gates.mT, frames.flatten(1, 2))  # (2, 3H, F)
            # The state before the first step is zero: that step says nothing about the weights.
            later = of_own[:, 1:].flatten(1, 2)  # (2, (T - 1) * B, 3H)
            of_weight_hh = torch.bmm(later.mT, states[:, :-1].flatten(1, 2))  # (2, 3H, H)
            of_biases = [each.sum((1, 2), dtype=ctx.dtype) for each in (of_given, of_own)]
        of_weight_ih, of_weight_hh = of_weight_ih.to(ctx.dtype), of_weight_hh.to(ctx.dtype)
        return of_frames, of_weight_ih, of_biases[0], of_weight_hh, of_biases[1]


def _run_back(arriving: Tensor, weight: Tensor, kept: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Gradients (2, T, B, 3H) of the input gates and of the hidden ones, from the last step on."""
    batch = arriving.shape[2]
    carried = torch.zeros_like(arriving[0])  # (2, B, H)
    of_given, of_own = [], []
    for gradient, of_step in zip(reversed(arriving.unbind()), reversed(kept), strict=True):
        carried += gradient
        given, own, direct = _cell_backward(carried.flatten(0, 1), of_step)
        of_given.append(given.view(2, batch, -1))  # (2, B, 3H)
        of_own.append(own.view(2, batch, -1))
        carried = direct.view(2, batch, -1).baddbmm_(of_own[-1], weight)  # (2, B, H)
    return torch.stack(of_given[::-1], dim=1), torch.stack(of_own[::-1], dim=1)


def _cell(given: Tensor, own: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3H) input gates, (N, 3H) hidden gates, (N, H) → next state and (N, 5H) for backward."""
    if given.is_cuda:
        following, kept = torch.ops.aten._thnn_fused_gru_cell.default(given, own, state)
        return following, kept
    given_r, given_z, given_n = given.chunk(3, dim=1)
    own_r, own_z, own_n = own.chunk(3, dim=1)
    r, z = torch.sigmoid(given_r + own_r), torch.sigmoid(given_z + own_z)
    n = torch.tanh(given_n + r * own_n)
    return n + z * (state - n), torch.cat([r, z, n, state, own_n], dim=1)


def _cell_backward(gradient: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of input gates, hidden gates and, past the gates, of the state before."""
    if gradient.is_cuda:
        backward = torch.ops.aten._thnn_fused_gru_cell_backward.default
        of_given, of_own, direct, _, _ = backward(gradient, kept, False)
        return of_given, of_own, direct
    r, z, n, state, own_n = kept.chunk(5, dim=1)
    of_n = gradient * (1 - z) * (1 - n * n)
    of_z = gradient * (state - n) * (1 - z) * z
    of_r = of_n * own_n * (1 - r) * r
    of_given = torch.cat([of_r, of_z, of_n], dim=1)
    return of_given, torch.cat([of_r, of_z, of_n * r], dim=1), gradient * z
