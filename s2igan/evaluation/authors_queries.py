"""The real query pictures of the paper's mAP, as its authors list them."""

from pathlib import Path
from typing import Any, cast

import numpy as np

from s2igan.corpora.index import Corpus
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from s2igan.evaluation.judge import Rows

LISTS = Path(__file__).with_name("authors_queries.yaml")


def authors_queries(corpus: Corpus) -> tuple[Rows, str]:
    """Find the pictures that the authors list for a corpus, without those that it leaves out.

    Returns:
        Rows of the index, rising, and what a protocol calls these pictures.

    Raises:
        UserError: if they list none, or one that the corpus lacks for no told reason or has outside
            its test classes.
    """
    lists: dict[str, list[str]] = cast(dict[str, Any], read_yaml(LISTS))["queries"]
    listed = lists.get(corpus.info["kind"])
    if listed is None:
        raise UserError(
            "evaluate.queries",
            got=f"'authors' with the corpus {corpus.info['kind']!r}",
            expected=f"a corpus whose queries they list: {', '.join(lists)}",
            fix="set it to drawn",
        )
    images, skipped = corpus.images, corpus.info.get("skipped", {})
    left = [name for name in listed if name not in skipped]
    rows = {name: row for row, name in enumerate(images["name"])}
    strange = [
        name for name in left if name not in rows or images["split"].iloc[rows[name]] != "test"
    ]
    if strange:
        raise UserError(
            "evaluate.queries",
            got=f"{len(strange)} of the authors' {len(listed)} pictures that are no test pictures "
            f"of this corpus, {strange[0]!r} among them",
            expected="all of them",
            fix="set it to drawn",
        )
    lost = len(listed) - len(left)
    whose = f"the {len(left)} real test pictures that the authors list"
    if lost:
        whose += f" without {lost} that the corpus leaves out as broken"
    return np.sort(np.array([rows[name] for name in left], np.int64)), whose
