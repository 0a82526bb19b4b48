"""The judge: a backbone that no training ever saw, and what it sees in a set of pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.engine.device import autocast
from s2igan.engine.pictures import Picture
from s2igan.engine.progress import bar
from s2igan.vision.backbones import Backbone

Rows = npt.NDArray[np.int64]
Source = Callable[[Rows], Picture]
"""From row numbers ``(n,)`` to pictures, ``(n, S, S, 3)`` uint8."""


@dataclass(frozen=True)
class Seen:
    """What the judge sees in N pictures.

    Args:
        features: ``(N, D)`` float32.
        logits: per attribute ``(N, K)`` float32; None where the judge reads no attributes.
    """

    features: npt.NDArray[np.float32]
    logits: dict[str, npt.NDArray[np.float32]] | None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Rows) -> "Seen":
        """Select pictures."""
        logits = self.logits
        chosen = None if logits is None else {name: logits[name][rows] for name in logits}
        return Seen(self.features[rows], chosen)

    def readings(self) -> npt.NDArray[np.int64]:
        """Return the likeliest value of every attribute, ``(N, 8)``, numbered as in ``VALUES``.

        Raises:
            ValueError: if the judge reads no attributes.
        """
        if self.logits is None:
            raise ValueError("this judge reads no attributes")
        return np.stack([self.logits[name].argmax(axis=1) for name in ATTRIBUTES], axis=1)


class Judge:
    """Looks at pictures in batches.

    Args:
        backbone: frozen.
        device: where it computes.
        precision: of its convolutions.
        batch_size: pictures per forward pass.
        progress: whether to show progress.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        precision: Literal["float32", "bfloat16"] = "float32",
        batch_size: int = 64,
        *,
        progress: bool = False,
    ) -> None:
        self.backbone = backbone.to(device)
        self.device = device
        self.precision: Literal["float32", "bfloat16"] = precision
        self.batch_size = batch_size
        self.progress = progress

    @property
    def protocol(self) -> str:
        """Which network judges, in one sentence."""
        return f"judge: {self.backbone.name}, {self.backbone.dimension} features"

    @torch.inference_mode()
    def see(self, source: Source, count: int, what: str) -> Seen:
        """Look at rows 0 to ``count`` - 1 of ``source``; ``what`` names them in the progress."""
        features = np.empty((count, self.backbone.dimension), np.float32)
        logits: dict[str, list[npt.NDArray[np.float32]]] = {}
        starts = range(0, count, self.batch_size)
        for start in bar(starts, f"judge {what}") if self.progress else starts:
            rows = np.arange(start, min(start + self.batch_size, count))
            pictures = torch.from_numpy(source(rows)).to(self.device)
            images = pictures.permute(0, 3, 1, 2).float() / 255  # (n, 3, S, S)
            with autocast(self.device, self.precision):
                output = self.backbone(images)
            features[rows] = output.features.float().cpu().numpy()
            for name, values in (output.logits or {}).items():
                logits.setdefault(name, []).append(values.float().cpu().numpy())
        joined = {name: np.concatenate(parts) for name, parts in logits.items()}
        return Seen(features, joined or None)
