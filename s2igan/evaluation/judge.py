"""Networks that no training ever saw, and what they see in a set of pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.engine.device import Precision, autocast
from s2igan.engine.distributed import rank, shared, world
from s2igan.engine.pictures import Picture
from s2igan.engine.progress import bar
from s2igan.vision.interface import Backbone, as_images

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Source = Callable[[Rows], Picture]
"""From row numbers ``(n,)`` to pictures, ``(n, S, S, 3)`` uint8."""


@dataclass(frozen=True)
class Seen:
    """What a network sees in N pictures.

    Args:
        features: ``(N, D)`` float32.
        logits: ``(N, K)`` float32 per classifier that it has, named as by :class:`BackboneOutput`.
    """

    features: npt.NDArray[np.float32]
    logits: dict[str, npt.NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Rows) -> "Seen":
        """Select pictures."""
        logits = {name: values[rows] for name, values in self.logits.items()}
        return Seen(self.features[rows], logits)

    @property
    def reads_attributes(self) -> bool:
        """Whether there are logits of every attribute of a drawing."""
        return self.logits.keys() >= set(ATTRIBUTES)

    def readings(self) -> npt.NDArray[np.int64]:
        """Return the likeliest value of every attribute, ``(N, 8)``, numbered as in ``VALUES``.

        Raises:
            KeyError: unless :attr:`reads_attributes`.
        """
        return np.stack([self.logits[name].argmax(axis=1) for name in ATTRIBUTES], axis=1)


@dataclass(frozen=True)
class SeenRows:
    """What a network sees in some pictures of a source, asked for by their rows in it.

    Args:
        seen: N pictures.
        rows: ``(N,)``, rising: their rows.
    """

    seen: Seen
    rows: Rows

    def take(self, rows: Rows) -> Seen:
        """Select pictures by their rows in the source.

        Raises:
            ValueError: if the network has not looked at one of them.
        """
        strange = np.setdiff1d(rows, self.rows)
        if len(strange):
            raise ValueError(f"picture {strange[0]} was not looked at")
        return self.seen.take(np.searchsorted(self.rows, rows))


class Judge:
    """Looks at pictures in batches.

    Args:
        backbone: frozen.
        device: where it computes.
        precision: of its convolutions.
        batch_size: pictures per forward pass.
        role: what it is there for, in protocols and in the progress.
        progress: whether to show progress.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        precision: Precision = "float32",
        batch_size: int = 64,
        *,
        role: str = "judge",
        progress: bool = False,
    ) -> None:
        self.backbone = backbone.to(device)
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.role = role
        self.progress = progress

    @property
    def protocol(self) -> str:
        """Which network looks, at what layers and with whose weights, in one sentence."""
        return f"{self.role}: {self.backbone.description}"

    def see(self, source: Source, rows: Rows, what: str) -> Seen:
        """Look at ``rows`` of ``source``; ``what`` names them in the progress.

        Processes take turns, and each gets what all of them saw.
        """
        features = np.empty((len(rows), self.backbone.dimension), np.float32)
        logits: dict[str, list[npt.NDArray[np.float32]]] = {}
        starts = range(0, len(rows), self.batch_size)
        own = (source(rows[s : s + self.batch_size]) for s in starts[rank() :: world()])
        looks = bar(
            shared(map(self._look, own), len(starts)),
            f"{self.role} {what}",
            total=len(starts),
            unit="pictures",
            each=self.batch_size,
            shown=self.progress,
        )
        for start, (seen, said) in zip(starts, looks, strict=True):
            features[start : start + self.batch_size] = seen
            for name, values in said.items():
                logits.setdefault(name, []).append(values)
        return Seen(features, {name: np.concatenate(parts) for name, parts in logits.items()})

    @torch.inference_mode()
    def _look(self, pictures: Picture) -> tuple[Floats, dict[str, Floats]]:
        with autocast(self.device, self.precision):
            output = self.backbone(as_images(pictures, self.device))  # of (n, 3, S, S)
        logits = (output.logits or {}).items()
        said = {name: values.float().cpu().numpy() for name, values in logits}
        return output.features.float().cpu().numpy(), said
