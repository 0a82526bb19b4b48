"""A training step as one CUDA graph: hundreds of small kernels start at once, not one by one.

A captured step reads its inputs from fixed places and leaves its results in fixed places; every
call copies the new inputs there. Only steps whose shapes never change and that never wait for the
device can be captured; where the capture fails, the step runs as it is, and why is said once.
"""

import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from s2igan.engine.distributed import world
from s2igan.engine.runtime import read_runtime

Run = Callable[[Sequence[Tensor]], Mapping[str, Tensor]]

WARM_UP = 3  # steps that run as they are first, so that optimisers and libraries have set up


@dataclass(eq=False)
class _Form:
    # One form of the step: how often it has run, then its graph and the places of its values.
    calls: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    inputs: Sequence[Tensor] = ()
    results: Mapping[str, Tensor] = field(default_factory=dict)


class CapturedSteps:
    """A training step that is captured after a few calls and replayed from then on.

    A step that comes in several forms becomes a graph for each. Every call is one step, whether it
    runs, is captured or is replayed; where one capture fails, no other is tried.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        self._pool: Any = None
        self._forms: dict[Hashable, _Form] = {}
        self.refused = False

    def __call__(self, form: Hashable, run: Run, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """Take one step; the results of a replay hold until the next call.

        Args:
            form: what tells the step from those that do other work or have other shapes.
            run: inputs on the device → scalars on the device.
            inputs: of this call.
        """
        if self.refused:
            return run(inputs)
        known = self._forms.setdefault(form, _Form())
        known.calls += 1
        if known.calls <= WARM_UP:
            return self._aside(run, inputs)
        if known.graph is None and not self._capture(known, run, inputs):
            return run(inputs)
        for kept, value in zip(known.inputs, inputs, strict=True):
            kept.copy_(value, non_blocking=True)
        assert known.graph is not None
        known.graph.replay()
        return known.results

    def captured(self) -> int:
        """How many forms are graphs by now."""
        return sum(form.graph is not None for form in self._forms.values())

    def forget(self) -> None:
        """Capture anew, since something that the graphs point at has moved."""
        self._forms, self._pool = {}, None

    def _aside(self, run: Run, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        # On the stream that captures: what is set up lazily is set up for it.
        current, stream = torch.cuda.current_stream(self._device), self._side_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream), _inside():
            results = run(inputs)
        current.wait_stream(stream)
        return results

    def _capture(self, form: _Form, run: Run, inputs: Sequence[Tensor]) -> bool:
        places = [value.clone() for value in inputs]
        try:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            graph, stream = torch.cuda.CUDAGraph(), self._side_stream()
            # Outermost a way back to the current stream: a capture that fails stays on its own.
            # Batches are prepared by another thread meanwhile, which has no part in the graph.
            with (
                torch.cuda.stream(torch.cuda.current_stream(self._device)),
                torch.cuda.graph(
                    graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
                ),
                _inside(),
            ):
                form.results = run(places)
        except RuntimeError as error:
            self.refused, self._forms = True, {}
            reason = " ".join(str(_first(error)).split())[:200]
            sys.stderr.write(f"cuda graph: not used, steps run one kernel at a time: {reason}\n")
            return False
        form.graph, form.inputs = graph, places
        return True

    def _side_stream(self) -> torch.cuda.Stream:
        # Of the training's own device: torch's default one for captures is the current device's.
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return self._stream


def _first(error: BaseException) -> BaseException:
    # Ending a capture that has failed fails again, and hides why.
    while error.__context__ is not None:
        error = error.__context__
    return error


_within = False


@contextmanager
def _inside() -> Iterator[None]:
    global _within
    before, _within = _within, True
    try:
        yield
    finally:
        _within = before


def in_captured_step() -> bool:
    """Whether what runs now is a step that is, or after its first calls will be, a CUDA graph."""
    return _within


def capturable(device: torch.device) -> bool:
    """Whether a training's steps become graphs: on a GPU, unless the machine's settings say no.

    Several processes meet within a step, which a graph cannot.
    """
    return device.type == "cuda" and read_runtime().acceleration != "off" and world() == 1
