"""R-precision: is a picture's own description the first among descriptions of other classes?

An independent judge that reads attributes says how likely it holds what a description mentions.
Without one, the SEN's own encoders compare picture and speech; the generator was trained against
them, so such a figure is the critic's and its group is named so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax
from torch import Tensor

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.figures import Figure, Resampling, absent
from s2igan.evaluation.judge import Rows, Seen, Source
from s2igan.evaluation.material import Attributes, Booleans, Judged, Material
from s2igan.evaluation.wording import noun_of
from s2igan.metrics.retrieval import true_first
from s2igan.vision.interface import as_images

Floats = npt.NDArray[np.float32]
Scorer = Callable[[Rows, Rows], npt.NDArray[np.floating[Any]]]
"""From pictures ``(n, k)`` and the descriptions ``(n, 1 + m)`` that each k of them are compared
with, to the scores ``(n, k, 1 + m)``."""

BY_JUDGE, BY_CRITIC = "r_precision", "r_precision_by_critic"
DRAWN, REAL = "R-precision", "real"
_DESCRIPTIONS_PER_BLOCK = 16


class Reader:
    """Scores a description by the mean log-probability of the values that it mentions.

    Descriptions that mention the same values of the same attributes score exactly the same.

    Args:
        attributes: truths and mentions.
        described: ``(utterances,)``, the picture of each description.
        utterances: the descriptions that will be compared; each mentions something.
    """

    def __init__(self, attributes: Attributes, described: Rows, utterances: Rows) -> None:
        truth = attributes.truth[described[utterances]]
        told = np.where(attributes.mentions[utterances], truth, -1)  # (n, 8)
        statements, number = np.unique(told, axis=0, return_inverse=True)
        self._statement = np.zeros(len(described), np.int64)
        self._statement[utterances] = number.reshape(-1)
        parts = [
            statements[:, [column]] == np.arange(len(VALUES[name]))
            for column, name in enumerate(ATTRIBUTES)
        ]
        mentioned = np.concatenate(parts, axis=1).astype(np.float64)  # (statements, values)
        self._shares = mentioned / mentioned.sum(axis=1, keepdims=True)

    def scorer(self, seen: Seen) -> Scorer:
        """Return the scores of pictures that an attribute-reading judge has seen."""
        logits = (seen.logits[name].astype(np.float64) for name in ATTRIBUTES)
        likely = np.concatenate([log_softmax(each, axis=1) for each in logits], axis=1)

        def score(pictures: Rows, descriptions: Rows) -> npt.NDArray[np.floating[Any]]:
            scores = likely[pictures] @ self._shares.T  # (n, k, statements)
            return np.take_along_axis(scores, self._statement[descriptions][:, None], axis=2)

        return score


@dataclass(frozen=True)
class Critic:
    """The SEN, whose speech and image embeddings the generator was trained with.

    Args:
        embed: pictures ``(n, 3, S, S)`` in [0, 1] to embeddings ``(n, E)`` of unit length.
        speech: ``(utterances, E)`` of unit length; read block by block.
        device: where it computes.
        batch_size: pictures per forward pass.
    """

    embed: Callable[[Tensor], Tensor]
    speech: npt.NDArray[Any]
    device: torch.device
    batch_size: int

    @torch.inference_mode()
    def look(self, source: Source, rows: Rows) -> Floats:
        """Embed pictures of a source, ``(n, E)`` float32."""
        blocks = []
        for start in range(0, len(rows), self.batch_size):
            pictures = source(rows[start : start + self.batch_size])
            images = as_images(pictures, self.device)  # (n, 3, S, S)
            blocks.append(self.embed(images).float().cpu().numpy())
        return np.concatenate(blocks)


def cosine_scorer(pictures: Floats, speech: npt.NDArray[Any]) -> Scorer:
    """Score descriptions by the cosine of ``(n, E)`` pictures and ``(utterances, E)`` speech."""

    def score(chosen: Rows, descriptions: Rows) -> npt.NDArray[np.floating[Any]]:
        spoken = np.asarray(speech[descriptions.reshape(-1)], np.float32)
        spoken = spoken.reshape(*descriptions.shape, -1)  # (n, 1 + m, E)
        # Not a product of matrices, which may round equal descriptions differently.
        return np.asarray(np.einsum("nke,nde->nkd", pictures[chosen], spoken))

    return score


def choices(
    true: Rows, pool: Rows, classes: Rows, count: int, seed: int
) -> Iterator[tuple[slice, Rows]]:
    """Draw, for each true description, ``count`` others of other classes, without repetition.

    Args:
        true: ``(n,)`` utterances.
        pool: utterances to draw from.
        classes: ``(utterances,)``.
        count: at most what every class leaves over.
        seed: of the draw.

    Yields:
        Block after block: which of the n, and ``(block, 1 + count)`` utterances, the true one
        first.
    """
    rng = np.random.default_rng(seed)
    ordered = pool[np.argsort(classes[pool], kind="stable")]
    starts = np.searchsorted(classes[ordered], classes[true], side="left")
    sizes = np.searchsorted(classes[ordered], classes[true], side="right") - starts
    for first in range(0, len(true), _DESCRIPTIONS_PER_BLOCK):
        block = slice(first, min(first + _DESCRIPTIONS_PER_BLOCK, len(true)))
        drawn = np.stack(
            [
                rng.choice(len(ordered) - size, count, replace=False, shuffle=False)
                for size in sizes[block].tolist()
            ]
        )
        start, size = starts[block, None], sizes[block, None]
        others = ordered[np.where(drawn < start, drawn, drawn + size)]  # past the class's stretch
        yield block, np.concatenate([true[block, None], others], axis=1)


def r_precision_figures(
    judged: Judged,
    attributes: Attributes | None,
    critic: Callable[[], Critic],
    config: EvaluateConfig,
) -> dict[str, object]:
    """Take R-precision of the drawn pictures and, beside it, of the real ones.

    Args:
        judged: the pictures and what the judge saw.
        attributes: truths and mentions, or None where the corpus or the judge has none.
        critic: opens the SEN; called where no judge reads attributes.
        config: descriptions per picture, the seed that draws them, and permutations.

    Returns:
        Groups ``r_precision`` and, where that is absent, ``r_precision_by_critic``, each with
        ``R-precision`` and ``real``.
    """
    material = judged.material
    rows, pool = material.drawn_captions, material.captions()
    if attributes is not None:
        told: Booleans = np.asarray(attributes.mentions.any(axis=1))
        rows, pool = rows[told[material.targets(rows)]], pool[told[pool]]
    count = min(config.mismatched_descriptions, _fewest_others(material.classes[pool]))
    if not count or not len(rows):
        return {BY_JUDGE: absent(f"no {material.drawn_set} description is of another class")}
    if attributes is None:
        group, (scorers, said) = BY_CRITIC, _critic_scorers(judged, rows, critic())
    else:
        group, (scorers, said) = BY_JUDGE, _judge_scorers(judged, rows, attributes, pool)
    true = material.targets(rows)
    resampling = Resampling.of(config)
    dealt = _dealt(len(rows), resampling)
    values = {name: np.empty(dealt.shape) for name in scorers}
    for block, descriptions in choices(true, pool, material.classes, count, config.seed):
        for name, scorer in scorers.items():
            scores = scorer(dealt[block], descriptions).reshape(-1, 1 + count)  # (n * k, 1 + m)
            values[name][block] = true_first(scores).reshape(len(descriptions), -1)  # (n, k)
    figures = _figures(values, material, true, count, said, resampling)
    missing = {BY_JUDGE: absent(f"no judge reads what descriptions say; see {BY_CRITIC}")}
    return {**missing, group: figures}


def _dealt(pictures: int, resampling: Resampling) -> Rows:
    # By row the picture that its descriptions belong to, then those of the permutations.
    rng = np.random.default_rng(resampling.seed)
    own = np.arange(pictures)
    return np.stack([own, *(rng.permutation(own) for _ in range(resampling.permutations))], axis=1)


def _fewest_others(classes: Rows) -> int:
    """Count the descriptions of other classes that every class has at least."""
    _, sizes = np.unique(classes, return_counts=True)
    return len(classes) - int(sizes.max(initial=0))


def _judge_scorers(
    judged: Judged, rows: Rows, attributes: Attributes, pool: Rows
) -> tuple[dict[str, Scorer], list[str]]:
    material = judged.material
    reader = Reader(attributes, material.described, pool)
    pictures = material.pictures(rows)
    scorers = {
        DRAWN: reader.scorer(judged.drawn.take(rows)),
        REAL: reader.scorer(judged.real.take(pictures)),
    }
    score = "score of a description: mean log-probability of the values that it mentions"
    return scorers, judged.protocol(score)


def _critic_scorers(
    judged: Judged, rows: Rows, critic: Critic
) -> tuple[dict[str, Scorer], list[str]]:
    material = judged.material
    real, place = np.unique(material.pictures(rows), return_inverse=True)
    scorers = {
        DRAWN: cosine_scorer(critic.look(material.drawn, rows), critic.speech),
        REAL: cosine_scorer(critic.look(material.real, real)[place], critic.speech),
    }
    judge = (
        "by the critic, no independent judge: cosine of the SEN's own image and speech embeddings, "
        "which the generator was trained with"
    )
    return scorers, [judge, *material.protocol]


def _figures(
    values: Mapping[str, npt.NDArray[np.float64]],  # (n, 1 + permutations)
    material: Material,
    true: Rows,
    count: int,
    said: list[str],
    resampling: Resampling,
) -> dict[str, Figure]:
    whose = {DRAWN: "drawn pictures", REAL: "real pictures, those that the captions describe"}
    noun = noun_of(material.corpus)
    protocol = [
        f"the true description before {count} of another {noun}, drawn by seed; ties count as the "
        "chance that a draw among them gives",
        f"chance: descriptions permuted over the pictures, mean of {resampling.permutations}",
        *said,
    ]
    return {
        name: resampling.mean(
            values[name][:, 0],
            material.classes[true],
            [f"{len(true)} {whose[name]}", *protocol],
            chance=float(values[name][:, 1:].mean()),
        )
        for name in values
    }
