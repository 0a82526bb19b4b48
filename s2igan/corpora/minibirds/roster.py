"""How the list of species came about; run once: ``python -m s2igan.corpora.minibirds.roster``.

The list it prints is kept as ``data/minibirds.yaml``; that file is what counts. Combinations are
drawn at random under a few rules: any two species differ in at least two colours, any two test
species in at least three; colours of neighbouring parts coincide more often than by chance, as they
do on living birds; every value is about equally common. The list has grown once: those that came
later stand behind the first 200 and are training species, so that
``corpus.minibirds.species: 200`` gives the corpus of before.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, COLOURS, VALUES

SPECIES, TEST_SPECIES = 1320, 20
FIRST_SPECIES = 200
_SEED, _LATER_SEED = 20, 21
_COINCIDE = 0.12

_HEADER = """\
# The species of MiniBirds: invented names, five colours and three other attributes each.
# The {test} test species are met in no training; each differs from every other species in at least
# two colours, from every other test species in at least three. Validation species are drawn from
# the others by corpus.seed. Made by `python -m s2igan.corpora.minibirds.roster`.
species:
"""

_SHADES: Final = {
    "red": ("ember", "ruby", "scarlet", "crimson"),
    "yellow": ("saffron", "golden", "lemon", "honey"),
    "green": ("moss", "jade", "emerald", "fern"),
    "blue": ("azure", "cobalt", "sapphire", "lapis"),
    "brown": ("chestnut", "umber", "hazel", "walnut"),
    "black": ("sable", "ebony", "coal", "ink"),
    "white": ("snow", "ivory", "pearl", "frost"),
    "grey": ("ash", "slate", "silver", "smoke"),
}
_ENDINGS: Final = {
    "crown": ("crowned", "capped"),
    "back": ("backed", "mantled"),
    "belly": ("bellied", "breasted"),
    "wing": ("winged",),
    "tail": ("tailed",),
}
_KINDS: Final = {
    ("short", "small"): ("wren", "finch", "tit"),
    ("short", "medium"): ("bunting", "thrush", "lark"),
    ("short", "large"): ("dove", "grosbeak", "partridge"),
    ("long", "small"): ("sunbird", "creeper", "treehunter"),
    ("long", "medium"): ("bee-eater", "starling", "kingfisher"),
    ("long", "large"): ("woodpecker", "thrasher", "hoopoe"),
    ("hooked", "small"): ("parrotlet", "lovebird", "shrikelet"),
    ("hooked", "medium"): ("parakeet", "shrike", "lorikeet"),
    ("hooked", "large"): ("parrot", "macaw", "hawk"),
}

Combination = tuple[str, ...]


def extend_combinations(
    chosen: list[Combination], species: int, rng: np.random.Generator
) -> list[Combination]:
    """Draw the attributes of species until there are ``species``, test species first."""
    chosen = list(chosen)
    seen = Counter(value for one in chosen for value in _values(one))
    taken = {apart: {part for one in chosen for part in _shared(one, apart)} for apart in (2, 3)}
    while len(chosen) < species:
        # Of a few candidates the one whose values are rarest so far keeps all values common.
        candidates = [_candidate(rng) for _ in range(12)]
        apart = 3 if len(chosen) < TEST_SPECIES else 2
        fitting = [one for one in candidates if taken[apart].isdisjoint(_shared(one, apart))]
        if fitting:
            best = min(fitting, key=lambda one: sum(seen[at] for at in _values(one)))
            chosen.append(best)
            seen.update(_values(best))
            for apart, parts in taken.items():
                parts.update(_shared(best, apart))
    return chosen


def extend_names(
    names: list[str], combinations: list[Combination], rng: np.random.Generator
) -> list[str]:
    """Invent a fitting, unique name for each combination that has none yet."""
    names = list(names)
    for combination in combinations[len(names) :]:
        values = dict(zip(ATTRIBUTES, combination, strict=True))
        name = ""
        while not name or name in names:
            part = str(rng.choice(COLOUR_PARTS))
            shade, ending = rng.choice(_SHADES[values[part]]), rng.choice(_ENDINGS[part])
            kind = rng.choice(_KINDS[values["bill"], values["size"]])
            name = f"{shade}-{ending} {kind}"
        names.append(name)
    return names


def roster() -> str:
    """Return the text of the manifest."""
    rng = np.random.default_rng(_SEED)
    combinations = extend_combinations([], FIRST_SPECIES, rng)
    names = extend_names([], combinations, rng)
    first = rng.permutation(FIRST_SPECIES)
    later = np.random.default_rng(_LATER_SEED)
    combinations = extend_combinations(combinations, SPECIES, later)
    names = extend_names(names, combinations, later)
    lines = []
    for number in (*first, *range(FIRST_SPECIES, SPECIES)):
        split = "test" if number < TEST_SPECIES else "train"
        pairs = zip(ATTRIBUTES, combinations[number], strict=True)
        values = ", ".join(f"{name}: {value}" for name, value in pairs)
        lines.append(f"  - {{name: {names[number]}, split: {split}, {values}}}\n")
    return _HEADER.format(test=TEST_SPECIES) + "".join(lines)


def _candidate(rng: np.random.Generator) -> Combination:
    colours = [str(rng.choice(COLOURS))]
    for _ in COLOUR_PARTS[1:]:
        again = rng.random() < _COINCIDE
        colours.append(colours[-1] if again else str(rng.choice(COLOURS)))
    return (*colours, *(str(rng.choice(VALUES[name])) for name in ATTRIBUTES[len(COLOUR_PARTS) :]))


def _shared(combination: Combination, apart: int) -> Iterator[tuple[tuple[int, str], ...]]:
    """Yield what another combination has one of if it differs in fewer than ``apart`` colours."""
    colours = list(enumerate(combination[: len(COLOUR_PARTS)]))
    return itertools.combinations(colours, len(colours) - apart + 1)


def _values(combination: Combination) -> list[tuple[str, str]]:
    return list(zip(ATTRIBUTES, combination, strict=True))


if __name__ == "__main__":
    sys.stdout.write(roster())
