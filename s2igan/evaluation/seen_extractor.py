"""torch-fidelity's metrics on what a network has seen already.

A network looks at every picture once (:mod:`s2igan.evaluation.judge`). torch-fidelity gets what it
saw through an extractor of its own registry, named explicitly for every metric, so none of its
default networks is built, let alone downloaded.
"""

from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset

from s2igan.evaluation.judge import Seen

EXTRACTOR = "s2igan-judge"
FEATURES, LOGITS = "features", "logits"


class SeenPictures(Dataset[Tensor]):
    """Pictures as a network saw them: one row of features and logits each.

    Args:
        seen: N pictures.
        softmax: whose logits follow the features, ``(D + K,)`` float64 per picture; None = none.
    """

    def __init__(self, seen: Seen, softmax: str | None) -> None:
        self._parts = [torch.from_numpy(seen.features)]
        if softmax is not None:
            self._parts.append(torch.from_numpy(seen.logits[softmax]))

    def __len__(self) -> int:
        return len(self._parts[0])

    def __getitem__(self, index: int) -> Tensor:
        # Covariances want float64, and torch-fidelity keeps the dtype it is given.
        return torch.cat([part[index] for part in self._parts]).double()


class SeenExtractor(torch_fidelity.FeatureExtractorBase):  # type: ignore[misc]
    """Splits rows of :class:`SeenPictures` into features and logits.

    Args:
        name: as registered.
        features_list: the layers that torch-fidelity asks for.
        judge_dimension: D, number of features; what follows are logits.
        others: further arguments of ``calculate_metrics``.
    """

    def __init__(
        self,
        name: str,
        features_list: list[str],
        *,
        judge_dimension: int,
        **others: Any,  # noqa: ARG002 - torch-fidelity hands every argument to every extractor
    ) -> None:
        super().__init__(name, features_list)
        self.dimension = judge_dimension

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """Name the layers."""
        return (FEATURES, LOGITS)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """Name the layer of a metric: logits for the inception score, features for all others."""
        return LOGITS if metric == "isc" else FEATURES

    def forward(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Split ``(n, D + K)`` rows into the layers asked for."""
        layers = {FEATURES: rows[:, : self.dimension], LOGITS: rows[:, self.dimension :]}
        return tuple(layers[name] for name in self.features_list)


torch_fidelity.register_feature_extractor(EXTRACTOR, SeenExtractor)


def calculate(
    seen: Seen, reference: Seen, softmax: str | None, **arguments: Any
) -> dict[str, float]:
    """Let torch-fidelity compare two sets.

    Args:
        seen: what a network saw in the pictures.
        reference: what it saw in the real ones.
        softmax: whose logits the inception score is taken from; None without it.
        arguments: further ones of ``torch_fidelity.calculate_metrics``.

    Returns:
        Its metrics by its own names.
    """
    measured: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=SeenPictures(seen, softmax),
        input2=SeenPictures(reference, softmax),
        feature_extractor=EXTRACTOR,
        judge_dimension=seen.features.shape[1],
        feature_layer_isc=LOGITS,
        feature_layer_fid=FEATURES,
        feature_layer_kid=FEATURES,
        feature_layer_prc=FEATURES,
        cuda=False,
        cache=False,
        save_cpu_ram=True,  # no worker processes, distances in blocks
        batch_size=1024,
        verbose=False,
        **arguments,
    )
    return measured
