"""Inception score, FID, KID, precision and recall, all computed by torch-fidelity.

The judge looks at every picture once (:mod:`s2igan.evaluation.judge`). torch-fidelity gets what it
saw through an extractor of its own registry, named explicitly for every metric, so none of its
default networks is built, let alone downloaded.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset

from s2igan.errors import UserError
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.figures import absent, figure
from s2igan.evaluation.judge import Rows, Seen
from s2igan.evaluation.material import Judged

EXTRACTOR = "s2igan-judge"
FEATURES, LOGITS = "features", "logits"

_NAMES = {
    "IS": torch_fidelity.KEY_METRIC_ISC_MEAN,
    "FID": torch_fidelity.KEY_METRIC_FID,
    "KID": torch_fidelity.KEY_METRIC_KID_MEAN,
    "precision": torch_fidelity.KEY_METRIC_PRECISION,
    "recall": torch_fidelity.KEY_METRIC_RECALL,
}
_PRECISION_RECALL_BLOCK = 1000


class SeenPictures(Dataset[Tensor]):
    """Pictures as the judge saw them: one row of features and logits each.

    Args:
        seen: N pictures.
        attribute: whose logits follow the features, ``(D + K,)`` float64 per picture; None = none.
    """

    def __init__(self, seen: Seen, attribute: str | None) -> None:
        parts: list[npt.NDArray[np.float32]] = [seen.features]
        if attribute is not None and seen.logits is not None:
            parts.append(seen.logits[attribute])
        # Covariances want float64, and torch-fidelity keeps the dtype it is given.
        self._rows = torch.from_numpy(np.concatenate(parts, axis=1)).double()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Tensor:
        return self._rows[index]


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


def measure(seen: Seen, reference: Seen, config: EvaluateConfig) -> dict[str, float]:
    """Compare pictures with a reference.

    Args:
        seen: what the judge saw in the pictures.
        reference: in the real ones.
        config: subset sizes, splits and seed.

    Returns:
        IS (only where the judge has logits), FID, KID, precision and recall.

    Raises:
        UserError: if a set has too few pictures for the configured subsets or neighbourhood.
    """
    check_counts(min(len(seen), len(reference)), config)
    with_logits = seen.logits is not None
    measured = _calculate(
        seen,
        reference,
        config.attribute_of_is if with_logits else None,
        isc=with_logits,
        fid=True,
        kid=True,
        prc=True,
        isc_splits=config.is_splits,
        kid_subsets=config.kid_subsets,
        kid_subset_size=config.kid_subset_size,
        prc_neighborhood=config.neighbourhood,
        prc_batch_size=_PRECISION_RECALL_BLOCK,
        rng_seed=config.seed,
    )
    return {name: measured[key] for name, key in _NAMES.items() if key in measured}


def frechet_distance(seen: Seen, reference: Seen) -> float:
    """Return the FID alone, in the judge's features."""
    return _calculate(seen, reference, None, fid=True)[torch_fidelity.KEY_METRIC_FID]


def check_counts(smallest: int, config: EvaluateConfig) -> None:
    """Refuse settings that need more pictures than the smallest set has.

    Raises:
        UserError: naming the setting.
    """
    for key, needed in (
        ("kid_subset_size", config.kid_subset_size),
        ("neighbourhood", config.neighbourhood + 1),
        ("is_splits", config.is_splits),
    ):
        if needed > smallest:
            raise UserError(
                f"evaluate.{key}",
                got=getattr(config, key),
                expected=f"no more than the smallest picture set allows ({smallest} pictures)",
                fix="lower it",
            )


def fidelity_figures(judged: Judged, config: EvaluateConfig) -> dict[str, object]:
    """Compare drawn pictures, other real ones and the training pictures with the reference.

    Returns:
        Groups ``generated``, ``floor`` and ``species_shift``, each with IS, FID, KID, precision
        and recall.
    """
    material = judged.material
    (reference, reference_name), (floor, other, floor_name) = _references(judged, config.seed)
    train = material.image_rows("train")
    drawn = material.drawn_rows("test")
    rows = {
        "generated": (
            judged.drawn.take(drawn),
            judged.real.take(reference),
            f"{len(drawn)} pictures drawn from test utterances against {len(reference)} "
            f"{reference_name}",
        ),
        "floor": (
            judged.real.take(floor),
            judged.real.take(other),
            f"{len(floor)} real pictures against {len(other)} others: {floor_name}",
        ),
        "species_shift": (
            judged.real.take(train),
            judged.real.take(reference),
            f"{len(train)} training pictures, of other species, against {len(reference)} "
            f"{reference_name}",
        ),
    }
    return {
        name: _row(judged, config, seen, against, what)
        for name, (seen, against, what) in rows.items()
    }


def reference_rows(judged: Judged) -> tuple[Rows, str]:
    """Rows of the real pictures that everything is compared with, and their name.

    Fresh pictures of the test species where the corpus has a split of them, else the test pictures.
    """
    fresh = judged.material.image_rows("reference")
    if len(fresh):
        return fresh, "fresh real pictures of the test species"
    return judged.material.image_rows("test"), "real test pictures"


def _references(judged: Judged, seed: int) -> tuple[tuple[Rows, str], tuple[Rows, Rows, str]]:
    reference, name = reference_rows(judged)
    floor = judged.material.image_rows("floor")
    if len(floor):
        return (reference, name), (floor, reference, "two disjoint draws of the test species")
    mixed = np.random.default_rng(seed).permutation(reference)
    middle = len(mixed) // 2
    halves = "the two halves of the real test pictures"
    return (reference, name), (np.sort(mixed[:middle]), np.sort(mixed[middle:]), halves)


def _row(
    judged: Judged, config: EvaluateConfig, seen: Seen, against: Seen, what: str
) -> dict[str, object]:
    measured = measure(seen, against, config)
    notes = {
        "IS": f"softmax of {config.attribute_of_is}, {config.is_splits} splits",
        "KID": f"cubic kernel, {config.kid_subsets} subsets of {config.kid_subset_size}",
        "precision": f"{config.neighbourhood}-neighbour balls, reference",
        "recall": f"{config.neighbourhood}-neighbour balls, pictures",
    }
    row: dict[str, object] = {}
    if "IS" not in measured:
        row["IS"] = absent(f"{judged.judge}, without a softmax")
    for name, value in measured.items():
        note = [notes[name]] if name in notes else []
        row[name] = figure(value, judged.protocol(what, *note, f"torch-fidelity {_version()}"))
    return row


def _version() -> str:
    return str(torch_fidelity.__version__)


def _calculate(
    seen: Seen, reference: Seen, attribute: str | None, **arguments: Any
) -> dict[str, float]:
    measured: dict[str, float] = torch_fidelity.calculate_metrics(
        input1=SeenPictures(seen, attribute),
        input2=SeenPictures(reference, attribute),
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
