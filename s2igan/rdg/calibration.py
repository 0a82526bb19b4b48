"""Batch norm statistics that belong to averaged weights, or to weights that nothing has trained.

The average of a network's weights never ran in training mode, and statistics copied from the live
generator are not its own: they shift colours, the more the shorter the training. They are measured
anew here. Note: the authors' code keeps the copied ones.
"""

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from s2igan.engine.device import Precision, autocast

M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def calibrated(
    network: M,
    inputs: Iterable[tuple[Tensor, ...]],
    *,
    device: torch.device,
    precision: Precision,
) -> M:
    """Return a copy in evaluation mode whose batch norms hold the statistics of ``inputs``.

    Args:
        network: is left as it is.
        inputs: batches of what it takes.
        device: where to compute.
        precision: of the convolutions.

    Raises:
        ValueError: if there is no batch: mean 0 and variance 1 would pass for measured ones.
    """
    measured = copy.deepcopy(network).eval()
    norms = [x for x in measured.modules() if isinstance(x, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.train()
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over the batches
    batches = 0
    with autocast(device, precision):
        for batch in inputs:
            measured(*batch)
            batches += 1
    if not batches:
        raise ValueError("`inputs` holds no batch to measure statistics of")
    # Whoever trains the copy on counts as the network did.
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    return measured.eval()
