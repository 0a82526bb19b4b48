"""Every row against the row of reference."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from s2igan.comparison.figures import RESAMPLES, RESAMPLING_SEED, Entry, class_names
from s2igan.comparison.outcome import pooled
from s2igan.comparison.paired import Difference, paired_difference


@dataclass(frozen=True)
class Comparison:
    """One figure of one row against the reference, over the seeds that both have.

    Attributes:
        row: name of the row.
        figure: path of the figure.
        by_seed: difference of the values by seed.
        paired: over the test classes; None where the figure has no class-wise form.
    """

    row: str
    figure: str
    by_seed: dict[int, float]
    paired: Difference | None

    @property
    def value(self) -> float:
        """The paired difference where there is one, else the mean over seeds."""
        return self.paired.value if self.paired else statistics.fmean(self.by_seed.values())

    @property
    def verdict(self) -> str:
        """What the interval says, in words; empty without one."""
        if self.paired is None:
            return ""
        if not self.paired.distinguishable:
            return "not distinguishable"
        return "higher" if self.paired.value > 0 else "lower"


def compare(entry: Entry, reference: Entry, figure: str) -> Comparison | None:
    """Compare one figure over the common seeds; None where no common seed has it in both rows."""
    taken = {
        seed: (entry.outcomes[seed].value(figure), reference.outcomes[seed].value(figure))
        for seed in entry.outcomes
        if seed in reference.outcomes
    }
    by_seed = {s: a - b for s, (a, b) in taken.items() if a is not None and b is not None}
    if not by_seed:
        return None
    ours = [entry.outcomes[seed] for seed in by_seed]
    theirs = [reference.outcomes[seed] for seed in by_seed]
    paired = None
    if all(figure in outcome.classes for outcome in (*ours, *theirs)):
        classes = class_names((*ours, *theirs), figure)
        own, other = pooled(ours, figure, classes), pooled(theirs, figure, classes)
        if ((own[1] > 0) & (other[1] > 0)).any():  # classes that both were measured on
            paired = paired_difference(own, other, RESAMPLING_SEED, RESAMPLES)
    return Comparison(entry.name, figure, by_seed, paired)


def differences_table(entries: Sequence[Entry], reference: Entry) -> str:
    """Return every class-wise difference as tab-separated lines, headed."""
    lines = ["row\tfigure\tseeds\tdifference\tlow\thigh\tverdict"]
    for entry in entries:
        if entry.name == reference.name:
            continue
        figures = [name for outcome in entry.outcomes.values() for name in outcome.classes]
        for figure in dict.fromkeys(figures):
            found = compare(entry, reference, figure)
            if found is not None and (paired := found.paired) is not None:
                numbers = "\t".join(f"{x:.6g}" for x in (paired.value, paired.low, paired.high))
                seeds = ",".join(map(str, found.by_seed))
                lines.append(f"{entry.name}\t{figure}\t{seeds}\t{numbers}\t{found.verdict}")
    return "\n".join(lines) + "\n"
