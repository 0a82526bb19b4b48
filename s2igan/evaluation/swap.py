"""Keyword swap (paper Fig. 3): one colour word is changed and spoken again with the same noise."""

from dataclasses import dataclass

import numpy as np

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.errors import UserError
from s2igan.evaluation.drawing import MEND
from s2igan.evaluation.figures import Figure, Resampling, absent
from s2igan.evaluation.judge import Rows
from s2igan.evaluation.material import Attributes, Booleans, Judged, Material, Values, value_numbers


@dataclass(frozen=True)
class Pairs:
    """Pictures of the original and of the changed sentence, row by row.

    Args:
        before: ``(n, 8)``, what the judge reads in the pictures of the original sentences.
        after: ``(n, 8)``, in those of the changed ones.
        changed: ``(n,)``, which attribute's word was changed.
        old: ``(n,)``, the value that the original sentence says.
        new: ``(n,)``, the value that the changed sentence says.
        mentions: ``(n, 8)``, attributes that the original sentence mentions.
        classes: ``(n,)``, species of the original.
    """

    before: Values
    after: Values
    changed: Values
    old: Values
    new: Values
    mentions: Booleans
    classes: Rows

    def select(self, rows: Booleans) -> "Pairs":
        """Select some of the pairs."""
        return Pairs(**{name: value[rows] for name, value in vars(self).items()})

    def follows(self, resampling: Resampling, protocol: list[str]) -> Figure:
        """Share of pairs whose second picture shows the new word's value.

        Its chance is the base rate: how often the first picture shows that value already.
        """
        values = self._of_changed(self.after) == self.new
        base = self._of_changed(self.before) == self.new
        return resampling.mean(values, self.classes, protocol, chance=float(base.mean()))

    def starts_right(self, resampling: Resampling, protocol: list[str]) -> Figure:
        """Share of pairs whose first picture shows the original word's value."""
        values = self._of_changed(self.before) == self.old
        return resampling.mean(values, self.classes, protocol)

    def stays(self, mentioned: bool, resampling: Resampling, protocol: list[str]) -> Figure:
        """Share of the other attributes that read the same in both pictures.

        Chance deals the second pictures out anew among the pairs.

        Args:
            mentioned: only those that the sentences mention, or all others.
            resampling: chance and interval.
            protocol: of the figure.
        """
        others = self.others(mentioned)
        if not others.any():
            return absent("no sentence mentions another attribute")
        rng = np.random.default_rng(resampling.seed)
        shuffled = [rng.permutation(len(others)) for _ in range(resampling.permutations)]
        values = (self.before == self.after)[others]
        chance = np.mean([(self.before == self.after[p])[others].mean() for p in shuffled])
        classes = np.repeat(self.classes, others.sum(axis=1))
        return resampling.mean(values, classes, protocol, chance=float(chance))

    def all_stay(self, resampling: Resampling, protocol: list[str]) -> Figure:
        """Share of pairs in which every other mentioned attribute reads the same."""
        values = ((self.before == self.after) | ~self.others(mentioned=True)).all(axis=1)
        return resampling.mean(values, self.classes, protocol)

    def _of_changed(self, values: Values) -> Values:
        return values[np.arange(len(self.changed)), self.changed]

    def others(self, mentioned: bool) -> Booleans:
        """Return the attributes besides the changed one, ``(n, 8)`` bool."""
        others = np.ones_like(self.mentions)
        others[np.arange(len(others)), self.changed] = False
        return others & self.mentions if mentioned else others


def read_pairs(judged: Judged, attributes: Attributes) -> Pairs:
    """Line the pictures of original and changed sentences up.

    Raises:
        UserError: if the samples' two sets do not belong together.
    """
    material = judged.material
    before, after = swap_rows(material)
    changed = material.corpus.descriptions.iloc[material.utterances(after)]
    names = changed["swap_attribute"].to_numpy()
    originals = material.utterances(before)
    columns = np.array([ATTRIBUTES.index(name) for name in names], np.int64)
    truth = attributes.truth[material.described[originals]]
    words = zip(names, changed["swap_value"], strict=True)
    new = np.array([value_numbers(name, [word])[0] for name, word in words], np.int64)
    return Pairs(
        before=judged.drawn.take(before).readings(),
        after=judged.drawn.take(after).readings(),
        changed=columns,
        old=truth[np.arange(len(columns)), columns],
        new=new,
        mentions=attributes.mentions[originals],
        classes=material.classes[originals],
    )


def swap_rows(material: Material) -> tuple[Rows, Rows]:
    """Rows of the samples of original and of changed sentences, aligned.

    Raises:
        UserError: if a changed sentence is not made from the original beside it, or drawn with
            another noise.
    """
    before, after = material.drawn_rows("swap_original"), material.drawn_rows("swap_changed")
    made_from = material.corpus.descriptions["swap_of"].to_numpy(np.int64, na_value=-1)
    if not np.array_equal(made_from[material.utterances(after)], material.utterances(before)):
        raise UserError(
            "swapped sentences of the samples",
            got="pairs of sentences that do not belong together",
            expected="each changed sentence beside its original",
            fix=MEND,
        )
    if (names := material.noise_names) is not None:
        noise = names.to_numpy()
        for pair in np.flatnonzero(noise[before] != noise[after])[:1]:
            one, other = before[pair], after[pair]
            raise UserError(
                "swapped sentences of the samples",
                got=f"noise {noise[one]} in row {one} of their table, {noise[other]} in row "
                f"{other}, the same sentence changed",
                expected="one noise for both",
                fix=MEND,
            )
    return before, after


def has_changed_sentences(material: Material) -> bool:
    """Tell whether test sentences of the corpus were changed, whatever the samples hold of them."""
    table = material.corpus.descriptions
    return bool(((table["role"] == "swap") & (table["split"] == "test")).any())


def swap_figures(
    judged: Judged, attributes: Attributes, resampling: Resampling
) -> dict[str, object]:
    """Take the figures of the keyword swap.

    Returns:
        ``follows`` (whole and per attribute), ``starts_right``, ``others_stay`` (per attribute,
        mentioned and all) and ``all_mentioned_stay`` (per pair).
    """
    if (name := judged.material.drawn_set) != "test":
        return absent(f"changed sentences are of test classes, the samples of {name} classes")
    pairs = read_pairs(judged, attributes)
    if not len(pairs.changed):
        if has_changed_sentences(judged.material):
            return absent("no picture of these samples was drawn from a changed sentence")
        return absent("no sentence of the corpus was changed and spoken again")
    named = judged.material.names_noise("swap_original", "swap_changed")
    protocol = judged.protocol(
        f"{len(pairs.changed)} test sentences, spoken again with one colour word changed, drawn "
        f"with {'the same noise' if named else 'noise of which nothing is told'}"
    )
    parts = {
        ATTRIBUTES[column]: pairs.select(pairs.changed == column)
        for column in np.unique(pairs.changed).tolist()
    }
    shows = "share of pairs whose second picture shows the new colour; chance: the first does"
    per_attribute = {
        name: part.follows(resampling, [shows, f"{len(part.changed)} pairs", *protocol])
        for name, part in parts.items()
    }
    same = "that read the same in both pictures; chance: second pictures permuted over the pairs"
    return {
        "follows": {"all": pairs.follows(resampling, [shows, *protocol]), **per_attribute},
        "starts_right": pairs.starts_right(
            resampling, ["share of pairs whose first picture shows the original colour", *protocol]
        ),
        "others_stay": {
            "mentioned": pairs.stays(
                True, resampling, [f"share of the other mentioned attributes {same}", *protocol]
            ),
            "all": pairs.stays(
                False, resampling, [f"share of the seven other attributes {same}", *protocol]
            ),
        },
        "all_mentioned_stay": pairs.all_stay(
            resampling,
            ["share of pairs in which every other mentioned attribute reads the same", *protocol],
        ),
    }
