"""Batch norm whose statistics are those of the global batch, on gloo and on NCCL.

torch's own synchronised batch norm refuses tensors of the CPU. With one process these layers are
torch's batch norms, and their states are so in any case.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.distributed import world


class SyncBatchNorm1d(nn.BatchNorm1d):
    """Batch norm of ``(N, C)`` or ``(N, C, L)``; processes may hold different numbers of rows."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x``; in training by the mean and variance over all processes' rows."""
        if world() == 1 or not self.training:
            return super().forward(x)
        return _normalised(self, x)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of ``(N, C, H, W)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x``; in training by the mean and variance over all processes' rows."""
        if world() == 1 or not self.training:
            return super().forward(x)
        return _normalised(self, x)


def _normalised(layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    normal, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
        x, layer.weight, layer.bias, layer.eps
    )
    follow(layer, mean, variance, count)
    result: Tensor = normal
    return result


@torch.no_grad()
def follow(
    layer: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: Tensor
) -> None:
    """Let a layer's running statistics follow a batch's.

    Args:
        layer: which tracks them.
        mean: ``(C,)``.
        variance: ``(C,)``, biased.
        count: number of values behind each of them, a scalar.
    """
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.add_(1)
    unbiased = variance * (count / (count - 1))
    share: float | Tensor = 1 / layer.num_batches_tracked  # the plain mean over the batches
    if layer.momentum is not None:
        share = layer.momentum
    layer.running_mean += share * (mean - layer.running_mean)
    layer.running_var += share * (unbiased - layer.running_var)


class _Normalise(torch.autograd.Function):
    """Returns the normalised rows, their mean, biased variance and number, over all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, count = _global_statistics(x)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), count)
        ctx.mark_non_differentiable(mean, variance, count)
        normal = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        return normal, mean, variance, count

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight, mean, scale, count = ctx.saved_tensors
        axes, shape = _layout(x)
        given = gradients[0].to(mean.dtype)
        unit = (x.to(mean.dtype) - mean.view(shape)) * scale.view(shape)
        # Gradients of weight and bias are of these rows alone: they are averaged with all others.
        own = torch.stack([given.sum(axes), (given * unit).sum(axes)])  # (2, C)
        of_mean, of_unit = (summed(own) / count).unbind()
        inner = given - of_mean.view(shape) - unit * of_unit.view(shape)
        of_x = inner * (weight * scale).view(shape)
        return of_x.to(x.dtype), own[1].to(weight.dtype), own[0].to(weight.dtype), None


def _global_statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    axes, _ = _layout(x)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(wide, axes, correction=0)
    return joined(mean, variance, x.numel() // x.shape[1])


def joined(mean: Tensor, variance: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Join the statistics of all processes' rows.

    Deviations are taken from means, never from zero: a large mean must not eat the variance.

    Args:
        mean: ``(C,)``, of this process's rows.
        variance: ``(C,)``, biased.
        count: number of values behind each of them.

    Returns:
        The same over all processes, the count as a scalar on the device.
    """
    own = torch.cat([mean, variance, mean.new_full((1,), count)])  # (2 C + 1,)
    parts = [torch.empty_like(own) for _ in range(world())]
    dist.all_gather(parts, own)
    sizes = [len(mean), len(mean), 1]
    means, variances, counts = torch.split(torch.stack(parts), sizes, dim=1)
    total = counts.sum()
    shares = counts / total  # (world, 1)
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), total


def summed(own: Tensor) -> Tensor:
    """Return the sum over all processes; ``own`` stays."""
    total = own.clone()
    dist.all_reduce(total)
    return total


def _layout(x: Tensor) -> tuple[list[int], list[int]]:
    # Axes that are summed over, and the shape that a vector of channels is broadcast in.
    return [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
