"""IS and FID (paper §2.4), KID, precision and recall, all computed by torch-fidelity.

They are taken in the features of one network: the judge, or another that the parameters name; the
inception score may have a network of its own.
"""

import numpy as np
import torch_fidelity

from s2igan.evaluation.config import EvaluateConfig, check_counts, fitted, picture_sets
from s2igan.evaluation.figures import Figure, absent, figure
from s2igan.evaluation.inception_score import own_scores, softmax_note, softmax_of_is
from s2igan.evaluation.judge import Rows, Seen
from s2igan.evaluation.material import Judged
from s2igan.evaluation.seen_extractor import calculate

_NAMES = {
    "IS": torch_fidelity.KEY_METRIC_ISC_MEAN,
    "FID": torch_fidelity.KEY_METRIC_FID,
    "KID": torch_fidelity.KEY_METRIC_KID_MEAN,
    "precision": torch_fidelity.KEY_METRIC_PRECISION,
    "recall": torch_fidelity.KEY_METRIC_RECALL,
}
_PRECISION_RECALL_BLOCK = 1000


def measure(seen: Seen, reference: Seen, config: EvaluateConfig) -> dict[str, float]:
    """Compare pictures with a reference.

    Args:
        seen: what a network saw in the pictures.
        reference: in the real ones.
        config: subset sizes, splits and seed.

    Returns:
        IS (only where the network has a softmax), FID, KID, precision and recall.
    """
    softmax = softmax_of_is(seen, config)
    measured = calculate(
        seen,
        reference,
        softmax,
        isc=softmax is not None,
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
    """Return the FID alone, of two pictures or more on either side."""
    return calculate(seen, reference, None, fid=True)[torch_fidelity.KEY_METRIC_FID]


def fidelity_figures(judged: Judged, config: EvaluateConfig) -> dict[str, object]:
    """Compare drawn pictures, other real ones and the training pictures with the reference.

    Returns:
        Groups ``generated``, ``floor`` and ``species_shift``, each with IS, FID, KID, precision
        and recall.

    Raises:
        UserError: if a set has too few pictures for the configured subsets or neighbourhood.
    """
    material = judged.material
    (reference, reference_name), (floor, other, floor_name) = _references(judged, config.seed)
    train = material.training
    drawn = material.drawn_captions
    sets = picture_sets(
        config,
        material.drawn_set,
        train=len(material.image_rows("train")),
        drawn=len(drawn),
        reference=len(reference),
        floor=len(material.floor()),
    )
    config = fitted(config, material.drawn_set, sets)
    check_counts(sets, config)
    compared = judged.compared
    rows = {
        "generated": (
            compared.drawn.take(drawn),
            compared.real.take(reference),
            f"{len(drawn)} pictures drawn from {material.drawn_set} utterances against "
            f"{len(reference)} {reference_name}",
        ),
        "floor": (
            compared.real.take(floor),
            compared.real.take(other),
            f"{len(floor)} real pictures against {len(other)} others: {floor_name}",
        ),
        "species_shift": (
            compared.real.take(train),
            compared.real.take(reference),
            f"{len(train)} training pictures against {len(reference)} {reference_name}",
        ),
    }
    scores = own_scores(judged, config, drawn=drawn, floor=floor, train=train)
    return {
        name: _row(judged, config, seen, against, what, scores.get(name))
        for name, (seen, against, what) in rows.items()
    }


def _references(judged: Judged, seed: int) -> tuple[tuple[Rows, str], tuple[Rows, Rows, str]]:
    reference, name = judged.material.reference()
    floor = judged.material.floor()
    if len(floor):
        return (reference, name), (floor, reference, "two disjoint draws of the test species")
    mixed = np.random.default_rng(seed).permutation(reference)
    middle = len(mixed) // 2
    halves = f"the two halves of the {name}"
    return (reference, name), (np.sort(mixed[:middle]), np.sort(mixed[middle:]), halves)


def _row(
    judged: Judged,
    config: EvaluateConfig,
    seen: Seen,
    against: Seen,
    what: str,
    score: Figure | None,
) -> dict[str, object]:
    measured = measure(seen, against, config)
    notes = _notes(config, seen)
    row: dict[str, object] = {}
    if "IS" not in measured:
        row["IS"] = absent(f"{judged.compared.network}, without a softmax")
    library = f"torch-fidelity {torch_fidelity.__version__}"
    for name, value in measured.items():
        note = [notes[name]] if name in notes else []
        if name == "FID":
            note += few_pictures(seen, against)
        row[name] = figure(value, judged.fidelity_protocol(what, *note, library))
    if score is not None:
        row["IS"] = score
    return row


def _notes(config: EvaluateConfig, seen: Seen) -> dict[str, str]:
    """Say of each metric what its protocol has to tell beyond the sets and the network."""
    notes = {
        "KID": f"cubic kernel, {config.kid_subsets} subsets of {config.kid_subset_size}",
        "precision": f"{config.neighbourhood}-neighbour balls, reference",
        "recall": f"{config.neighbourhood}-neighbour balls, pictures",
    }
    if (note := softmax_note(seen, config)) is not None:
        notes["IS"] = note
    return notes


def few_pictures(seen: Seen, against: Seen) -> list[str]:
    """Warn, in a sentence for the protocol, of an FID that the number of pictures raises."""
    few = min(len(seen), len(against)) <= seen.features.shape[1]
    return ["no more pictures than features: their number alone raises it"] if few else []
