"""Batch norm statistics that belong to averaged weights.

The average of the generator's weights never ran in training mode, and statistics copied from the
live generator are not its own: they shift colours, the more the shorter the training. They are
measured anew here. Note: the authors' code keeps the copied ones.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from s2igan.engine.device import Precision, autocast
from s2igan.rdg.generator import Generator


@torch.no_grad()
def calibrated(
    generator: Generator,
    inputs: Iterable[tuple[Tensor, Tensor, Tensor]],
    *,
    device: torch.device,
    precision: Precision,
) -> Generator:
    """Return a copy in evaluation mode whose batch norms hold the statistics of ``inputs``.

    Args:
        generator: is left as it is.
        inputs: batches of what :meth:`Generator.forward` takes.
        device: where to compute.
        precision: of the convolutions.
    """
    measured = copy.deepcopy(generator).train()
    for layer in measured.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over the batches
    with autocast(device, precision):
        for batch in inputs:
            measured(*batch)
    return measured.eval()
