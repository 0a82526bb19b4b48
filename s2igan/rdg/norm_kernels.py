"""Batch norm and what follows it as few passes over a GPU's memory: Triton kernels.

Apart, torch's batch norm, gate and rectifier read and write a map a dozen times in a step; here it
is read twice forwards and twice backwards. Maps are channels_last, so that all pixels of a batch
are the rows of one matrix, ``(N * H * W, C)``. Arithmetic is float32 whatever the maps are, and
deviations are taken from means, never from zero: a large mean must not eat the variance.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from s2igan.engine.distributed import world
from s2igan.engine.sync_norm import follow, joined, summed

NOTHING, GLU, LEAKY = 0, 1, 2  # what follows the norm

_TILE = 4096  # values of a tile
_WIDEST = 64  # channels of a tile
_PROGRAMS = 1024  # that read at once, several per multiprocessor


@triton.jit
def _moments(x, means, squares, rows, C, chunk, BLOCK_M: tl.constexpr, BLOCK_C: tl.constexpr):
    """Mean and summed squared deviations of one stretch of rows, tile after tile."""
    part = tl.program_id(0)
    columns = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    first = part.to(tl.int64) * chunk
    mean = tl.zeros([BLOCK_C], tl.float32)
    square = tl.zeros([BLOCK_C], tl.float32)
    count = 0.0
    for start in range(0, chunk, BLOCK_M):
        row = first + start + tl.arange(0, BLOCK_M)
        inside = row < rows
        mask = inside[:, None] & (columns < C)[None, :]
        values = tl.load(x + row[:, None] * C + columns[None, :], mask, other=0.0).to(tl.float32)
        number = tl.sum(inside.to(tl.float32))
        tile_mean = tl.sum(values, 0) / tl.maximum(number, 1.0)
        off = tl.where(mask, values - tile_mean[None, :], 0.0)
        share = number / tl.maximum(count + number, 1.0)
        step = tile_mean - mean
        square += tl.sum(off * off, 0) + step * step * count * share
        mean += step * share
        count += number
    place = part * C + columns
    tl.store(means + place, mean, columns < C)
    tl.store(squares + place, square, columns < C)


@triton.jit
def _settle(
    means,
    squares,
    running_mean,
    running_var,
    batches,
    mean_out,
    spread_out,
    rows,
    C,
    parts,
    chunk,
    momentum,
    eps,
    ALONE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Join the stretches' moments; alone, turn them into a scale and let the statistics follow."""
    columns = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    known = columns < C
    mean = tl.zeros([BLOCK_C], tl.float32)
    square = tl.zeros([BLOCK_C], tl.float32)
    count = 0.0
    for start in range(0, parts, BLOCK_P):
        part = start + tl.arange(0, BLOCK_P)
        counts = tl.minimum(tl.maximum(rows - part * chunk, 0), chunk).to(tl.float32)
        mask = (part < parts)[:, None] & known[None, :]
        place = part[:, None] * C + columns[None, :]
        counts = tl.where(part < parts, counts, 0.0)
        own = tl.load(means + place, mask, other=0.0)
        own_square = tl.load(squares + place, mask, other=0.0)
        number = tl.sum(counts)
        tile_mean = tl.sum(own * counts[:, None], 0) / number
        off = own - tile_mean[None, :]
        share = number / (count + number)
        step = tile_mean - mean
        square += tl.sum(own_square + off * off * counts[:, None], 0)
        square += step * step * count * share
        mean += step * share
        count += number
    tl.store(mean_out + columns, mean, known)
    if ALONE:
        tl.store(spread_out + columns, 1.0 / tl.sqrt(square / count + eps), known)
        before = tl.load(running_mean + columns, known)
        tl.store(running_mean + columns, before + momentum * (mean - before), known)
        before = tl.load(running_var + columns, known)
        unbiased = square / (count - 1.0)
        tl.store(running_var + columns, before + momentum * (unbiased - before), known)
        if tl.program_id(0) == 0:
            tl.store(batches, tl.load(batches) + 1)
    else:
        tl.store(spread_out + columns, square / count, known)


@triton.jit
def _tile(x, mean, scale, row, column, mask, C):
    """Load a tile and normalise it."""
    known = column < C
    values = tl.load(x + row[:, None] * C + column[None, :], mask, other=0.0).to(tl.float32)
    centre = tl.load(mean + column, known, other=0.0)
    return (values - centre[None, :]) * tl.load(scale + column, known, other=0.0)[None, :]


@triton.jit
def _affine(unit, weight, bias, column, C):
    known = column < C
    factor = tl.load(weight + column, known, other=0.0)
    return unit * factor[None, :] + tl.load(bias + column, known, other=0.0)[None, :]


@triton.jit
def _apply(
    x,
    out,
    mean,
    scale,
    weight,
    bias,
    rows,
    C,
    width,
    slope,
    KIND: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Normalise, and do what follows; ``width`` channels come out."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    mask = (row < rows)[:, None] & (column < width)[None, :]
    value = _affine(_tile(x, mean, scale, row, column, mask, C), weight, bias, column, C)
    if KIND == 1:
        gated = column + width
        gate = _affine(_tile(x, mean, scale, row, gated, mask, C), weight, bias, gated, C)
        value = value * tl.sigmoid(gate)
    if KIND == 2:
        value = tl.where(value > 0, value, slope * value)
    place = out + row[:, None] * width + column[None, :]
    tl.store(place, value.to(out.dtype.element_ty), mask)


@triton.jit
def _given(
    grad, x, mean, scale, weight, bias, row, column, mask, C, width, slope, KIND: tl.constexpr
):
    """Gradients of the normalised values, and these, of value and gate; a gate only with GLU."""
    given = tl.load(grad + row[:, None] * width + column[None, :], mask, other=0.0).to(tl.float32)
    unit = _tile(x, mean, scale, row, column, mask, C)
    other, other_unit = given, unit
    if KIND == 1:
        value = _affine(unit, weight, bias, column, C)
        other_unit = _tile(x, mean, scale, row, column + width, mask, C)
        gate = tl.sigmoid(_affine(other_unit, weight, bias, column + width, C))
        other = given * value * gate * (1.0 - gate)
        given = given * gate
    if KIND == 2:
        value = _affine(unit, weight, bias, column, C)
        given = tl.where(value > 0, given, slope * given)
    return given, unit, other, other_unit


@triton.jit
def _sums(
    grad,
    x,
    mean,
    scale,
    weight,
    bias,
    sums,
    rows,
    C,
    width,
    chunk,
    parts,
    slope,
    KIND: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Sum gradients, and gradients times normalised values, over one stretch of rows."""
    part = tl.program_id(0)
    column = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    first = part.to(tl.int64) * chunk
    plain = tl.zeros([BLOCK_C], tl.float32)
    weighed = tl.zeros([BLOCK_C], tl.float32)
    plain_gate = tl.zeros([BLOCK_C], tl.float32)
    weighed_gate = tl.zeros([BLOCK_C], tl.float32)
    for start in range(0, chunk, BLOCK_M):
        row = first + start + tl.arange(0, BLOCK_M)
        mask = (row < rows)[:, None] & (column < width)[None, :]
        given, unit, other, other_unit = _given(
            grad, x, mean, scale, weight, bias, row, column, mask, C, width, slope, KIND
        )
        plain += tl.sum(given, 0)
        weighed += tl.sum(given * unit, 0)
        if KIND == 1:
            plain_gate += tl.sum(other, 0)
            weighed_gate += tl.sum(other * other_unit, 0)
    place = sums + part * C + column
    known = column < width
    tl.store(place, plain, known)
    tl.store(place + parts * C, weighed, known)
    if KIND == 1:
        tl.store(place + width, plain_gate, known)
        tl.store(place + parts * C + width, weighed_gate, known)


@triton.jit
def _corrected(given, unit, sums, scale, weight, column, all_rows, C):
    """Take out of the gradient what the mean and the variance take with them."""
    known = column < C
    mean = tl.load(sums + column, known, other=0.0) / all_rows
    weighed = tl.load(sums + C + column, known, other=0.0) / all_rows
    factor = tl.load(weight + column, known, other=0.0) * tl.load(scale + column, known, other=0.0)
    return (given - mean[None, :] - unit * weighed[None, :]) * factor[None, :]


@triton.jit
def _back(
    grad,
    x,
    mean,
    scale,
    weight,
    bias,
    sums,
    out,
    rows,
    all_rows,
    C,
    width,
    slope,
    KIND: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Gradient of the map; ``sums`` are of the rows of all processes."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    mask = (row < rows)[:, None] & (column < width)[None, :]
    given, unit, other, other_unit = _given(
        grad, x, mean, scale, weight, bias, row, column, mask, C, width, slope, KIND
    )
    place = out + row[:, None] * C + column[None, :]
    result = _corrected(given, unit, sums, scale, weight, column, all_rows, C)
    tl.store(place, result.to(out.dtype.element_ty), mask)
    if KIND == 1:
        result = _corrected(other, other_unit, sums, scale, weight, column + width, all_rows, C)
        tl.store(place + width, result.to(out.dtype.element_ty), mask)


class _Tiles:
    """How a matrix of ``rows`` and ``width`` channels is cut up."""

    def __init__(self, rows: int, width: int) -> None:
        self.columns = min(_WIDEST, triton.next_power_of_2(width))
        self.rows = _TILE // self.columns
        blocks = triton.cdiv(width, self.columns)
        wanted = max(1, min(_PROGRAMS // blocks, triton.cdiv(rows, self.rows)))
        self.chunk = triton.cdiv(triton.cdiv(rows, wanted), self.rows) * self.rows
        self.parts = triton.cdiv(rows, self.chunk)
        self.stretches = (self.parts, blocks)
        self.all = (triton.cdiv(rows, self.rows), blocks)
        self.shape = {"BLOCK_M": self.rows, "BLOCK_C": self.columns}


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: Any, kind: int, slope: float
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        count, channels, height, width = x.shape
        rows, out_channels = count * height * width, channels // 2 if kind == GLU else channels
        out = torch.empty(
            (count, out_channels, height, width),
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        tiles = _Tiles(rows, channels)
        parts = weight.new_empty(2, tiles.parts, channels)
        moments = weight.new_empty(2, channels)
        with torch.cuda.device_of(x):
            _moments[tiles.stretches](x, *parts, rows, channels, tiles.chunk, **tiles.shape)
            _settle[(triton.cdiv(channels, 32),)](
                *parts,
                norm.running_mean,
                norm.running_var,
                norm.num_batches_tracked,
                *moments,
                rows,
                channels,
                tiles.parts,
                tiles.chunk,
                norm.momentum,
                norm.eps,
                ALONE=world() == 1,
                BLOCK_P=32,
                BLOCK_C=32,
            )
            if world() > 1:
                moments = _of_all(norm, moments, rows)
            tiles = _Tiles(rows, out_channels)
            _apply[tiles.all](
                x,
                out,
                *moments,
                weight,
                bias,
                rows,
                channels,
                out_channels,
                slope,
                KIND=kind,
                **tiles.shape,
            )
        ctx.save_for_backward(x, weight, bias, moments)
        ctx.kind, ctx.slope, ctx.world = kind, slope, world()
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        x, weight, bias, moments = ctx.saved_tensors
        grad = gradients[0].contiguous(memory_format=torch.channels_last)
        channels, width = x.shape[1], grad.shape[1]
        rows = x.numel() // channels
        tiles = _Tiles(rows, width)
        parts = weight.new_empty(2, tiles.parts, channels)
        out = torch.empty_like(x)
        read = (grad, x, *moments, weight, bias)
        with torch.cuda.device_of(x):
            _sums[tiles.stretches](
                *read,
                parts,
                rows,
                channels,
                width,
                tiles.chunk,
                tiles.parts,
                ctx.slope,
                KIND=ctx.kind,
                **tiles.shape,
            )
            # Of these rows alone, as the gradients of weight and bias are: they are averaged later.
            sums = parts.sum(dim=1)  # (2, C)
            _back[tiles.all](
                *read,
                summed(sums) if ctx.world > 1 else sums,
                out,
                rows,
                rows * ctx.world,
                channels,
                width,
                ctx.slope,
                KIND=ctx.kind,
                **tiles.shape,
            )
        return out, sums[1], sums[0], None, None, None


def _of_all(norm: nn.BatchNorm2d, own: Tensor, rows: int) -> Tensor:
    # From mean and variance of these rows to mean and 1 / standard deviation of all processes'.
    mean, variance, total = joined(own[0], own[1], rows)
    follow(norm, mean, variance, total)
    return torch.stack([mean, torch.rsqrt(variance + norm.eps)])  # (2, C)


def normed(norm: nn.BatchNorm2d, x: Tensor, kind: int, slope: float = 0.0) -> Tensor:
    """Normalise in training, and do what follows.

    Several processes, each of which holds as many rows, normalise by the statistics of all of
    them, with the messages of :class:`~s2igan.engine.sync_norm.SyncBatchNorm2d`.

    Args:
        norm: whose running statistics follow; affine, with a momentum.
        x: ``(N, C, H, W)``, fastest in channels_last memory.
        kind: :data:`NOTHING`, :data:`GLU` over the channels, or :data:`LEAKY`.
        slope: of the leaky rectifier.

    Returns:
        ``(N, C, H, W)``, of half the channels behind a gate, in ``x``'s dtype.
    """
    result: Tensor = _Normed.apply(x, norm.weight, norm.bias, norm, kind, slope)
    return result
