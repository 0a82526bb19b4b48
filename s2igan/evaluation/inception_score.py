"""The inception score (paper §2.4): from the softmax of the network of fidelity, or of its own."""

from typing import TYPE_CHECKING

import torch_fidelity

from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.figures import Figure, absent, figure
from s2igan.evaluation.judge import Rows, Seen
from s2igan.evaluation.seen_extractor import calculate
from s2igan.vision.interface import CLASSES

if TYPE_CHECKING:
    from s2igan.evaluation.material import Judged


def softmax_of_is(seen: Seen, config: EvaluateConfig) -> str | None:
    """Name the logits that the inception score is taken from.

    Those of the configured attribute where the network reads attributes, of all classes where it
    classifies pictures, else None.
    """
    return next((name for name in (config.attribute_of_is, CLASSES) if name in seen.logits), None)


def softmax_note(seen: Seen, config: EvaluateConfig) -> str | None:
    """Say which softmax the score is taken from, and over how many splits; None without one."""
    softmax = softmax_of_is(seen, config)
    if softmax is None:
        return None
    whole = f"over all {seen.logits[softmax].shape[1]} classes"
    over = whole if softmax == CLASSES else f"of {softmax}"
    return f"softmax {over}, {config.is_splits} splits"


def inception_score(seen: Seen, config: EvaluateConfig) -> float | None:
    """Return the score alone, averaged over the splits; None where the network has no softmax."""
    softmax = softmax_of_is(seen, config)
    if softmax is None:
        return None
    measured = calculate(
        seen, seen, softmax, isc=True, isc_splits=config.is_splits, rng_seed=config.seed
    )
    return measured[torch_fidelity.KEY_METRIC_ISC_MEAN]


def own_scores(
    judged: "Judged", config: EvaluateConfig, *, drawn: Rows, floor: Rows, train: Rows
) -> dict[str, Figure]:
    """Take the scores from the network that ``evaluate.is_backbone`` names.

    Args:
        judged: the pictures and what the networks saw.
        config: number of splits and seed.
        drawn: samples, those of the utterances that are judged.
        floor: real pictures of the same classes.
        train: training pictures.

    Returns:
        A figure for each of ``generated``, ``floor`` and ``species_shift``; none where the score is
        left to the network of fidelity.
    """
    network = judged.classified
    if network is None:
        return {}
    sets = {
        "generated": (network.drawn.take(drawn), "drawn pictures"),
        "floor": (network.real.take(floor), "real pictures of the same classes"),
        "species_shift": (network.real.take(train), "training pictures"),
    }
    library = f"torch-fidelity {torch_fidelity.__version__}"
    scores = {}
    for name, (seen, what) in sets.items():
        value, note = inception_score(seen, config), softmax_note(seen, config)
        if value is None or note is None:
            scores[name] = absent(f"{network.network}, without a softmax")
        else:
            sentences = (f"{len(seen)} {what}", note, library, network.network)
            scores[name] = figure(value, [*sentences, *judged.material.protocol])
    return scores
