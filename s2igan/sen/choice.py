"""Which step's weights a training of SEN keeps."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from s2igan.engine.device import Precision
from s2igan.sen.data import SenData
from s2igan.sen.model import SenModel
from s2igan.sen.validation import published_test_map, validation_map

VAL, TEST = "val_mAP", "test_mAP_as_published"
"""Columns of the curves."""

CHOSEN_BY = {"best_val": VAL, "best_test_as_published": TEST}
CHOSEN_ON = {"best_val": "val", "best_test_as_published": "test"}

_MEASURES: Mapping[str, Callable[..., float]] = {VAL: validation_map, TEST: published_test_map}


class Choice:
    """Measures a model while it trains and remembers the weights that measured best.

    Test classes are measured where ``keep`` is ``best_test_as_published``, and nowhere else.

    Args:
        keep: ``sen.keep``.
        data: corpus and features.
        has_val: whether validation classes can be searched.
    """

    def __init__(self, keep: str, data: SenData, *, has_val: bool) -> None:
        self.keep, self.data = keep, data
        self.columns = [VAL] * has_val + [TEST] * (keep == "best_test_as_published")
        self.best: dict[str, Any] = {"mAP": -math.inf, "step": 0, "model": {}}

    def measure(
        self, model: SenModel, step: int, *, device: torch.device, precision: Precision
    ) -> dict[str, float]:
        """Return the figures of ``model``, in evaluation mode; the best is remembered."""
        figures = {
            column: _MEASURES[column](self.data, model, device=device, precision=precision)
            for column in self.columns
        }
        column = CHOSEN_BY.get(self.keep)
        if column is not None and figures[column] > self.best["mAP"]:
            weights = {name: v.detach().cpu().clone() for name, v in model.state_dict().items()}
            self.best = {"mAP": figures[column], "step": step, "model": weights}
        return figures

    def apply(self, model: SenModel) -> None:
        """Load the best weights into ``model``; those of the last step are there already."""
        if self.keep in CHOSEN_BY:
            model.load_state_dict(self.best["model"])

    def summary(self, last_step: int) -> dict[str, object]:
        """Say for ``sen.json`` which step was kept and, where it was chosen, on which classes."""
        if self.keep not in CHOSEN_BY:
            return {"kept_step": last_step}
        return {"kept_step": self.best["step"], "chosen_on": CHOSEN_ON[self.keep]}
