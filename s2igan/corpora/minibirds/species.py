"""The fixed list of species, and the ones that an experiment uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError

_SPLITS = ("train", "test")
_FEWEST_TEST, _TEST_SHARE = 2, 0.1
_FEWEST_TRAIN = 2


@dataclass(frozen=True)
class Species:
    """One species.

    Attributes:
        name: an invented name, unique.
        attributes: a value for each of :data:`s2igan.corpora.attributes.ATTRIBUTES`.
        split: test, or train for those from which the validation species are drawn too.
    """

    name: str
    attributes: Mapping[str, str]
    split: str


def read_species(manifest: Path) -> list[Species]:
    """Read the list of species.

    Args:
        manifest: a YAML file whose ``species`` are mappings of name, split and every attribute.

    Raises:
        UserError: if an entry is not a species, or a name or a combination stands there twice.
    """
    document = read_yaml(manifest)
    entries = document.get("species") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"manifest {str(manifest)!r}", expected="a list under the key 'species'")
    species = [_parse(manifest, number, entry) for number, entry in enumerate(entries, 1)]
    names = Counter(one.name for one in species)
    combinations = Counter(", ".join(one.attributes.values()) for one in species)
    for what, count in (*names.most_common(1), *combinations.most_common(1)):
        if count > 1:
            raise UserError(f"manifest {str(manifest)!r}", got=f"{what!r} {count} times")
    return species


def choose_species(
    species: Sequence[Species], count: int, val_classes: int, rng: np.random.Generator
) -> list[Species]:
    """Choose the species of an experiment and draw those of validation.

    Args:
        species: the whole list.
        count: how many to use, a tenth of them test species (at least two, at most all that the
            list has), each taken from the beginning of the list; 0 uses all.
        val_classes: how many of the others become validation species.
        rng: draws them.

    Returns:
        The species in the order of the list, with splits train, val and test.

    Raises:
        UserError: if the list has too few species, or too few are left to train on.
    """
    test = [one for one in species if one.split == "test"]
    others = [one for one in species if one.split != "test"]
    if count:
        wanted = min(len(test), max(_FEWEST_TEST, round(count * _TEST_SHARE)))
        if count - wanted > len(others):
            raise UserError(
                "corpus.minibirds.species", got=count, expected=f"at most {len(species)}"
            )
        test, others = test[:wanted], others[: max(count - wanted, 0)]
        if len(others) < _FEWEST_TRAIN:
            fewest = _FEWEST_TEST + _FEWEST_TRAIN
            raise UserError(
                "corpus.minibirds.species", got=count, expected=f"at least {fewest}, or 0 for all"
            )
    if len(others) - val_classes < _FEWEST_TRAIN:
        raise UserError(
            "corpus.val_classes",
            got=val_classes,
            expected=f"at most {max(len(others) - _FEWEST_TRAIN, 0)}, so that two species train",
            fix="lower it or raise corpus.minibirds.species",
        )
    drawn = {others[i].name for i in rng.choice(len(others), val_classes, replace=False)}
    kept = {one.name for one in (*test, *others)}
    return [
        Species(one.name, one.attributes, "val" if one.name in drawn else one.split)
        for one in species
        if one.name in kept
    ]


def _parse(manifest: Path, number: int, entry: object) -> Species:
    where = f"manifest {str(manifest)!r}, species {number}"
    expected = {"name", "split", *ATTRIBUTES}
    if not isinstance(entry, dict) or set(entry) != expected:
        raise UserError(where, got=entry, expected=f"the keys {', '.join(sorted(expected))}")
    for key, allowed in {**VALUES, "split": _SPLITS}.items():
        if entry[key] not in allowed:
            raise UserError(f"{where}: {key}", got=entry[key], expected=" or ".join(allowed))
    attributes = {name: str(entry[name]) for name in ATTRIBUTES}
    return Species(str(entry["name"]), attributes, str(entry["split"]))
