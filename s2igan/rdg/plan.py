"""Which pictures the stage ``sample`` draws: sets, utterances, targets and noise (paper §2.4)."""

from typing import Any

import numpy as np
import pandas as pd

from s2igan.engine.seeding import numpy_generator
from s2igan.errors import UserError
from s2igan.rdg.config import SampleConfig

_SENTENCES, _MISMATCHED = 0, 1  # keys of the random streams


def plan(descriptions: pd.DataFrame, config: SampleConfig) -> pd.DataFrame:
    """List the pictures to draw.

    Args:
        descriptions: the corpus's descriptions, with ``image``, ``role``, ``split``, ``class_id``
            and ``swap_of``.
        config: the section ``sample``.

    Returns:
        Columns ``set``, ``utterance``, ``target``, ``noise`` and ``condition_noise``, one row per
        picture: ``test`` or ``val``, the first captions of every picture of that split;
        ``swap_original`` and ``swap_changed``, of split test alone, pairs in one order with one
        noise; ``draws``, several noises for each of some of those captions, consecutively;
        ``mismatched``, the noise of one of them under the speech of another class. ``noise`` is the
        index of z's, ``condition_noise`` that of F_ca's; they differ where captions share z.

    Raises:
        UserError: if the split has no captions.
    """
    captions = _captions(descriptions, config)
    utterances = captions.index.to_numpy(np.int64)
    free = len(captions)
    asked = _rows(config.split, utterances, utterances, np.arange(free))
    if config.noise == "per_picture":
        _, asked["noise"] = np.unique(captions["image"].to_numpy(np.int64), return_inverse=True)
    swaps, free = _swaps(descriptions, free) if config.split == "test" else ([], free)
    draws = _draws(captions, config, free)
    return pd.concat(
        [asked, *swaps, draws, *_mismatched(captions, asked, config)], ignore_index=True
    )


def _captions(descriptions: pd.DataFrame, config: SampleConfig) -> pd.DataFrame:
    chosen = (descriptions["role"] == "caption") & (descriptions["split"] == config.split)
    captions = descriptions[chosen]
    if captions.empty:
        fix = "raise corpus.val_classes or set sample.split to test"
        raise UserError(
            f"{config.split} captions of the corpus",
            got=0,
            expected="at least one",
            fix=fix if config.split == "val" else None,
        )
    # The captions of one picture are consecutive rows, in the order of their positions.
    return captions[captions.groupby("image").cumcount() < config.captions_per_picture]


def _swaps(descriptions: pd.DataFrame, free: int) -> tuple[list[pd.DataFrame], int]:
    changed = descriptions[(descriptions["role"] == "swap") & (descriptions["split"] == "test")]
    if changed.empty:
        return [], free
    original = changed["swap_of"].to_numpy(np.int64)
    utterances = changed.index.to_numpy(np.int64)
    noise = free + np.arange(len(changed))
    pairs = [
        _rows("swap_original", original, original, noise),
        _rows("swap_changed", utterances, utterances, noise),
    ]
    return pairs, free + len(changed)


def _draws(captions: pd.DataFrame, config: SampleConfig, free: int) -> pd.DataFrame:
    # Sentences class after class, so that a few of them still cover many classes.
    rng = numpy_generator(config.seed, _SENTENCES)
    shuffled = captions.iloc[rng.permutation(len(captions))]
    turn = shuffled.groupby("class_id").cumcount().to_numpy()
    order = np.lexsort((shuffled["class_id"].to_numpy(), turn))
    sentences = shuffled.index.to_numpy(np.int64)[order][: config.diversity_sentences]
    utterances = np.repeat(sentences, config.draws)
    return _rows("draws", utterances, utterances, free + np.arange(len(utterances)))


def _mismatched(
    captions: pd.DataFrame, asked: pd.DataFrame, config: SampleConfig
) -> list[pd.DataFrame]:
    classes = captions["class_id"].to_numpy(np.int64)
    if len(np.unique(classes)) < 2:
        return []
    rng = numpy_generator(config.seed, _MISMATCHED)
    by_class = np.argsort(classes, kind="stable")
    targets = np.sort(rng.permutation(len(captions))[: config.mismatched])
    starts = np.searchsorted(classes[by_class], classes[targets], side="left")
    sizes = np.searchsorted(classes[by_class], classes[targets], side="right") - starts
    drawn = rng.integers(0, len(captions) - sizes)
    others = by_class[np.where(drawn < starts, drawn, drawn + sizes)]  # never the target's class
    speech = asked["utterance"].to_numpy()[others]
    return [asked.iloc[targets].assign(set="mismatched", utterance=speech)]


def _rows(name: str, utterances: Any, targets: Any, noise: Any) -> pd.DataFrame:
    columns = {"utterance": utterances, "target": targets, "noise": noise, "condition_noise": noise}
    return pd.DataFrame({"set": name, **columns})
