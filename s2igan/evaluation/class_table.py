"""Every mean of the figures class by class, so that two variants can be compared in pairs."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from s2igan.engine.folders import write_whole
from s2igan.evaluation.figures import Figures, means

HEADER = ("figure", "class", "sum", "count")
LEFT_OUT = ("controls",)
"""Groups that repeat others on fewer pictures."""


def write_class_table(path: Path, figures: Figures, names: Mapping[int, str]) -> None:
    """Write sum and number of the values behind each mean, one row per figure and class.

    Args:
        path: tab-separated file with :data:`HEADER`; a figure's value is the total of its sums over
            the total of its counts.
        figures: their groups.
        names: of the classes.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(HEADER)
    for figure, mean in means({name: figures[name] for name in figures if name not in LEFT_OUT}):
        for number, total, count in zip(*mean.sums, strict=True):
            writer.writerow((figure, names[int(number)], float(total), int(count)))
    write_whole(path, text.getvalue().encode())


def class_names(images: pd.DataFrame) -> dict[int, str]:
    """Name every class of an index; one without a name goes by its number."""
    listed = images.drop_duplicates("class_id")
    return {
        int(number): name if isinstance(name, str) and name else str(number)
        for number, name in zip(listed["class_id"], listed["class_name"], strict=True)
    }
