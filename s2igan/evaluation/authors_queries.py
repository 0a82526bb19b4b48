"""The real query pictures of the paper's mAP, as its authors list them."""

from pathlib import Path
from typing import Any, cast

import numpy as np

from s2igan.corpora.index import Corpus
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from s2igan.evaluation.judge import Rows

LISTS = Path(__file__).with_name("authors_queries.yaml")


def authors_queries(corpus: Corpus) -> Rows:
    """Find the pictures that the authors list for a corpus.

    Returns:
        Rows of the index, rising.

    Raises:
        UserError: if they list none, or one that the corpus lacks or has outside its test classes.
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
    images = corpus.images
    rows = {name: row for row, name in enumerate(images["name"])}
    strange = [
        name for name in listed if name not in rows or images["split"].iloc[rows[name]] != "test"
    ]
    if strange:
        raise UserError(
            "evaluate.queries",
            got=f"{len(strange)} of the authors' {len(listed)} pictures that are no test pictures "
            f"of this corpus, {strange[0]!r} among them",
            expected="all of them",
            fix="set it to drawn",
        )
    return np.sort(np.array([rows[name] for name in listed], np.int64))
