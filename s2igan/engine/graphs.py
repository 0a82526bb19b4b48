"""A training step as one CUDA graph: hundreds of small kernels start at once, not one by one.

A captured step reads its inputs from fixed places and leaves its results in fixed places; every
call copies the new inputs there. Only steps whose shapes never change and that never wait for the
device can be captured; where the capture fails, the step runs as it is, and why is said once.
"""

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from s2igan.engine.distributed import world
from s2igan.engine.runtime import read_runtime

Run = Callable[[Sequence[Tensor]], Mapping[str, Tensor]]

WARM_UP = 3  # steps that run as they are first, so that optimisers and libraries have set up


class CapturedStep:
    """A step that is captured after a few calls and replayed from then on.

    Every call is one step, whether it runs, is captured or is replayed.

    Args:
        run: inputs on the device → scalars on the device.
        device: a CUDA device.
        pool: memory shared with other graphs, of :func:`torch.cuda.graph_pool_handle`; they never
            run at once.
    """

    def __init__(self, run: Run, device: torch.device, pool: Any = None) -> None:
        self._run, self._device, self._pool = run, device, pool
        self._calls, self.refused = 0, False
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._results: Mapping[str, Tensor] = {}

    def __call__(self, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """Take one step; the results of a replay hold until the next call."""
        self._calls += 1
        if self.refused:
            return self._run(inputs)
        if self._calls <= WARM_UP:
            return self._aside(inputs)
        if self._graph is None and not self._capture(inputs):
            return self._run(inputs)
        for kept, value in zip(self._inputs, inputs, strict=True):
            kept.copy_(value, non_blocking=True)
        assert self._graph is not None
        self._graph.replay()
        return self._results

    def _aside(self, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        # On a stream of its own, as a capture is: what is set up lazily is set up for it.
        current = torch.cuda.current_stream(self._device)
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream = self._stream
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            results = self._run(inputs)
        current.wait_stream(stream)
        return results

    def _capture(self, inputs: Sequence[Tensor]) -> bool:
        self._inputs = [value.clone() for value in inputs]
        try:
            graph = torch.cuda.CUDAGraph()
            # Batches are prepared by another thread meanwhile, which has no part in the graph.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                self._results = self._run(self._inputs)
        except RuntimeError as error:
            self.refused, self._inputs = True, []
            reason = " ".join(str(error).split())[:200]
            sys.stderr.write(f"cuda graph: not used, steps run one kernel at a time: {reason}\n")
            return False
        self._graph = graph
        return True


class CapturedSteps:
    """One training step in several forms, each of which is a graph of its own.

    Where the capture of one form fails, no other is tried.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None
        self._steps: dict[Hashable, CapturedStep] = {}

    def __call__(self, form: Hashable, run: Run, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """Take one step; the results of a replay hold until the next call.

        Args:
            form: what tells the step from those that do other work or have other shapes.
            run: see :class:`CapturedStep`; that of the form's first call is kept.
            inputs: of this call.
        """
        if any(step.refused for step in self._steps.values()):
            return run(inputs)
        if form not in self._steps:
            if self._pool is None and self._device.type == "cuda":
                self._pool = torch.cuda.graph_pool_handle()
            self._steps[form] = CapturedStep(run, self._device, self._pool)
        return self._steps[form](inputs)

    def forget(self) -> None:
        """Capture anew, since something that the graphs point at has moved."""
        self._steps = {}


def capturable(device: torch.device) -> bool:
    """Whether a training's steps become graphs: on a GPU, unless the machine's settings say no.

    Several processes meet within a step, which a graph cannot.
    """
    return device.type == "cuda" and read_runtime().acceleration != "off" and world() == 1
