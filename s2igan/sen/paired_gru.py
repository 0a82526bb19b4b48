"""Both directions of a GRU layer as one batched recurrence (paper §2.2).

A step of a recurrence is too small to fill a GPU, so that its time is that of its kernels, one
after the other. Two directions side by side take as many kernels as one.
"""

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
    """
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    # What is cast is cast here, once: autocast would meddle with every step, and has its own mind
    # about the dtype of a sum.
    with torch.autocast(kind, enabled=False):
        both = [frames.to(dtype).transpose(0, 1) for frames in (x, mirrored)]  # (T, B, F) each
        frames = torch.stack(both)  # (2, T, B, F)
        weight = _pair(ahead, back, "weight_ih_l0").to(dtype)  # (2, 3H, F)
        bias = _pair(ahead, back, "bias_ih_l0").to(dtype)  # (2, 3H)
        gates = torch.baddbmm(bias[:, None], frames.flatten(1, 2), weight.mT)  # (2, T * B, 3H)
        states = _Recurrence.apply(  # type: ignore[no-untyped-call]
            gates.view(*frames.shape[:3], -1),  # (2, T, B, 3H)
            _pair(ahead, back, "weight_hh_l0"),
            _pair(ahead, back, "bias_hh_l0"),
        )  # (2, T, B, H)
    past, future = states.transpose(1, 2).unbind()  # (B, T, H) each
    return past, future


def _pair(ahead: nn.GRU, back: nn.GRU, name: str) -> Tensor:
    return torch.stack([getattr(ahead, name), getattr(back, name)])


class _Recurrence(torch.autograd.Function):
    """Input gates (2, T, B, 3H), weights (2, 3H, H) and biases (2, 3H) → states (2, T, B, H).

    The dtype is that of the gates; weights and biases are cast to it, their gradients back.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        _, steps, batch, width = gates.shape
        cast = weight.to(gates.dtype)
        given = gates.transpose(0, 1).contiguous().flatten(1, 2)  # (T, 2 * B, 3H)
        # A product that adds to what is there is one kernel; one that copies the biases first, two.
        own = bias.to(gates.dtype)[:, None].expand(steps, 2, batch, width)  # (T, 2, B, 3H)
        own = own.clone(memory_format=torch.contiguous_format)
        state = gates.new_zeros(2 * batch, width // 3)
        states, kept = [], []
        for step in range(steps):
            own[step].baddbmm_(state.view(2, batch, -1), cast.mT)
            state, of_step = _cell(given[step], own[step].flatten(0, 1), state)
            states.append(state.view(2, batch, -1))  # (2, B, H)
            kept.append(of_step)
        stacked = torch.stack(states, dim=1)  # (2, T, B, H)
        ctx.save_for_backward(stacked, cast, *kept)
        ctx.dtypes = weight.dtype, bias.dtype
        return stacked

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states, weight, *kept = ctx.saved_tensors
        with torch.autocast(states.device.type, enabled=False):
            arriving = gradients[0].transpose(0, 1).contiguous()  # (T, 2, B, H)
            of_given, of_own = _run_back(arriving, weight, kept)  # (2, T, B, 3H) each
            # The state before the first step is zero: that step says nothing about the weights.
            later = of_own[:, 1:].flatten(1, 2)  # (2, (T - 1) * B, 3H)
            of_weight = torch.bmm(later.mT, states[:, :-1].flatten(1, 2))  # (2, 3H, H)
            of_bias = of_own.sum((1, 2), dtype=ctx.dtypes[1])  # (2, 3H)
        return of_given, of_weight.to(ctx.dtypes[0]), of_bias


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
