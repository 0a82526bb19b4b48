"""What stands between the convolutions of Inception-v3, in channels_last maps: Triton kernels.

torch's own pooling over 3 by 3 pixels needs several times the time that the maps take to read,
forwards and backwards; in a training of the RDG through Inception-v3 it was a sixth of a step.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_PIXELS, _CHANNELS = 32, 64  # of a tile
_VALUES = 2048  # of a tile where pixels have no say


@triton.jit
def _share(row, column, H, W, WITH_PADDING: tl.constexpr):
    """One over the number of pixels that the mean around a pixel is taken of."""
    if WITH_PADDING:
        return tl.zeros_like(row).to(tl.float32) + 1.0 / 9.0
    high = 3 - (row == 0).to(tl.int32) - (row == H - 1).to(tl.int32)
    wide = 3 - (column == 0).to(tl.int32) - (column == W - 1).to(tl.int32)
    return 1.0 / (high * wide).to(tl.float32)


@triton.jit
def _positive(value):
    """Rectify; what is no number stays none, as everywhere in torch."""
    return tl.where(value < 0.0, 0.0, value)


@triton.jit
def _rectify(x, bias, size, C, BLOCK: tl.constexpr):
    """Add the bias and rectify, in place."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = place < size
    value = tl.load(x + place, mask, other=0.0).to(tl.float32)
    value += tl.load(bias + place % C, mask, other=0.0).to(tl.float32)
    tl.store(x + place, _positive(value).to(x.dtype.element_ty), mask)


@triton.jit
def _average(
    x,
    bias,
    out,
    pixels,
    H,
    W,
    C,
    WITH_PADDING: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Mean of the neighbourhood, bias, rectifier."""
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    row, column = (pixel // W) % H, pixel % W
    whole = (pixel < pixels)[:, None] & (channel < C)[None, :]
    total = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for down in tl.static_range(-1, 2):
        for right in tl.static_range(-1, 2):
            inside = (row + down >= 0) & (row + down < H)
            inside = inside & (column + right >= 0) & (column + right < W)
            place = (pixel + down * W + right)[:, None] * C + channel[None, :]
            total += tl.load(x + place, whole & inside[:, None], other=0.0).to(tl.float32)
    total = total * _share(row, column, H, W, WITH_PADDING)[:, None]
    total += tl.load(bias + channel, channel < C, other=0.0).to(tl.float32)[None, :]
    place = out + pixel[:, None] * C + channel[None, :]
    tl.store(place, _positive(total).to(out.dtype.element_ty), whole)


@triton.jit
def _average_back(
    grad,
    y,
    out,
    pixels,
    H,
    W,
    C,
    WITH_PADDING: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Gradient of what :func:`_average` read."""
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    row, column = (pixel // W) % H, pixel % W
    whole = (pixel < pixels)[:, None] & (channel < C)[None, :]
    total = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for down in tl.static_range(-1, 2):
        for right in tl.static_range(-1, 2):
            inside = (row + down >= 0) & (row + down < H)
            inside = inside & (column + right >= 0) & (column + right < W)
            mask = whole & inside[:, None]
            place = (pixel + down * W + right)[:, None] * C + channel[None, :]
            given = tl.load(grad + place, mask, other=0.0).to(tl.float32)
            given = tl.where(tl.load(y + place, mask, other=0.0).to(tl.float32) > 0, given, 0.0)
            total += given * _share(row + down, column + right, H, W, WITH_PADDING)[:, None]
    place = out + pixel[:, None] * C + channel[None, :]
    tl.store(place, total.to(out.dtype.element_ty), whole)


@triton.jit
def _maximum(
    x, out, taken, pixels, H, W, high, wide, C, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr
):
    """Largest of a neighbourhood of every second pixel, and which of the nine it is."""
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    picture, row, column = pixel // (high * wide), (pixel // wide) % high, pixel % wide
    whole = (pixel < pixels)[:, None] & (channel < C)[None, :]
    first = (picture * H + 2 * row) * W + 2 * column
    best = tl.full([BLOCK_P, BLOCK_C], -float("inf"), tl.float32)
    which = tl.zeros([BLOCK_P, BLOCK_C], tl.int8)
    for down in tl.static_range(3):
        for right in tl.static_range(3):
            place = (first + down * W + right)[:, None] * C + channel[None, :]
            value = tl.load(x + place, whole, other=0.0).to(tl.float32)
            larger = (value > best) | (value != value)
            which = tl.where(larger, down * 3 + right, which).to(tl.int8)
            best = tl.where(larger, value, best)
    place = pixel[:, None] * C + channel[None, :]
    tl.store(out + place, best.to(out.dtype.element_ty), whole)
    tl.store(taken + place, which, whole)


@triton.jit
def _maximum_back(
    grad, taken, out, pixels, H, W, high, wide, C, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr
):
    """Gradient of what :func:`_maximum` read: a pixel lies in up to four neighbourhoods."""
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    picture, row, column = pixel // (H * W), (pixel // W) % H, pixel % W
    whole = (pixel < pixels)[:, None] & (channel < C)[None, :]
    total = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for down in tl.static_range(3):
        for right in tl.static_range(3):
            top, left = row - down, column - right
            inside = (top >= 0) & (left >= 0) & (top % 2 == 0) & (left % 2 == 0)
            inside = inside & (top // 2 < high) & (left // 2 < wide)
            there = (picture * high + top // 2) * wide + left // 2
            place = there[:, None] * C + channel[None, :]
            mask = whole & inside[:, None]
            chosen = tl.load(taken + place, mask, other=-1) == down * 3 + right
            total += tl.load(grad + place, mask & chosen, other=0.0).to(tl.float32)
    place = out + pixel[:, None] * C + channel[None, :]
    tl.store(place, total.to(out.dtype.element_ty), whole)


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor) -> Tensor:
        with torch.cuda.device_of(x):
            _rectify[(triton.cdiv(x.numel(), _VALUES),)](x, bias, x.numel(), x.shape[1], _VALUES)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.ops.aten.threshold_backward(gradients[0], ctx.saved_tensors[0], 0), None


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, with_padding: bool) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(x)
        with torch.cuda.device_of(x):
            _average[_grid(x)](x, bias, out, *_sizes(x), with_padding, _PIXELS, _CHANNELS)
        ctx.save_for_backward(out)
        ctx.with_padding = with_padding
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        grad = gradients[0].contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(y)
        with torch.cuda.device_of(y):
            _average_back[_grid(y)](grad, y, out, *_sizes(y), ctx.with_padding, _PIXELS, _CHANNELS)
        return out, None, None


class _Maximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        count, channels, height, width = x.shape
        shape = count, channels, (height - 3) // 2 + 1, (width - 3) // 2 + 1
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        taken = torch.empty_like(out, dtype=torch.int8)
        pixels = out.numel() // channels
        with torch.cuda.device_of(x):
            _maximum[_grid(out)](
                x, out, taken, pixels, height, width, *shape[2:], channels, _PIXELS, _CHANNELS
            )
        ctx.save_for_backward(taken)
        ctx.size = height, width
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (taken,) = ctx.saved_tensors
        grad = gradients[0].contiguous(memory_format=torch.channels_last)
        count, channels = grad.shape[:2]
        out = torch.empty(
            (count, channels, *ctx.size),
            dtype=grad.dtype,
            device=grad.device,
            memory_format=torch.channels_last,
        )
        pixels = out.numel() // channels
        sizes = (*ctx.size, *grad.shape[2:], channels)
        with torch.cuda.device_of(grad):
            _maximum_back[_grid(out)](grad, taken, out, pixels, *sizes, _PIXELS, _CHANNELS)
        return out


def _sizes(x: Tensor) -> tuple[int, int, int, int]:
    count, channels, height, width = x.shape
    return count * height * width, height, width, channels


def _grid(x: Tensor) -> tuple[int, int]:
    return triton.cdiv(x.numel() // x.shape[1], _PIXELS), triton.cdiv(x.shape[1], _CHANNELS)


def rectified(x: Tensor, bias: Tensor) -> Tensor:
    """Add the bias and rectify, in place of ``x``.

    Args:
        x: ``(N, C, H, W)`` in channels_last memory on a GPU.
        bias: ``(C,)``, without a gradient.
    """
    result: Tensor = _Rectified.apply(x, bias)
    return result


def rectified_average(x: Tensor, bias: Tensor, with_padding: bool) -> Tensor:
    """Average each neighbourhood of 3 by 3 pixels, add the bias, rectify.

    Args:
        x: ``(N, C, H, W)`` on a GPU.
        bias: ``(C,)``, without a gradient.
        with_padding: whether padding counts as pixels of zero.

    Returns:
        The same shape and dtype.
    """
    result: Tensor = _Average.apply(x, bias, with_padding)
    return result


def maximum(x: Tensor) -> Tensor:
    """``max_pool2d(x, 3, stride=2)`` of ``(N, C, H, W)`` on a GPU."""
    result: Tensor = _Maximum.apply(x)
    return result
