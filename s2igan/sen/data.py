"""What the stages of SEN read: log-mel, backbone features and who belongs to which split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import Array, Ragged, open_array
from s2igan.engine.tables import read_json
from s2igan.sen.batches import Rows
from s2igan.sen.encoder import Reads


@dataclass(frozen=True)
class Captions:
    """The captions of one split; altered descriptions (role ``swap``) are not among them.

    Args:
        utterances: (U,) rows of the descriptions.
        images: (U,) row of the picture that each describes.
        classes: (U,) class of each, numbered over the whole corpus.
    """

    utterances: Rows
    images: Rows
    classes: Rows


def authors_queries(captions: Captions) -> Rows:
    """Pick one query per class: the first caption of its first picture.

    Without classes that is the first caption of every picture.

    Args:
        captions: the captions searched with, in the order of the descriptions.

    Returns:
        (classes,) positions in ``captions``, by class.
    """
    order = np.lexsort((captions.utterances, captions.images, captions.classes))
    _, first = np.unique(captions.classes[order], return_index=True)
    return order[first].astype(np.int64)


class SenData:
    """The corpus index beside its packed features, memory-mapped.

    Args:
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        reads: what the encoder of descriptions reads.

    Raises:
        UserError: if a file is missing or the two do not belong together.
    """

    def __init__(self, corpus: Path, features: Path, reads: Reads = "mel") -> None:
        self.corpus = Corpus(corpus)
        self.sequences = Ragged(features, reads)
        self.mel_description: dict[str, Any] = read_json(
            features / "mel.json", "features", bands=int
        )
        self.backbone: Array = open_array(features / "backbone.npy", ndim=3)  # (images, views, D)
        self.backbone_description: dict[str, Any] = read_json(
            features / "backbone.json", "features", names=list, dimension=int
        )
        self.image_classes = self.corpus.images["class_id"].to_numpy(np.int64)
        self.corpus.check_rows(
            pictures={"backbone.npy": len(self.backbone)},
            utterances={f"{reads}.npy": len(self.sequences)},
        )

    def captions(self, split: str) -> Captions:
        """Select the captions of ``split``; none where the corpus has no such split."""
        table = self.corpus.descriptions
        rows = np.flatnonzero((table["split"] == split) & (table["role"] == "caption"))
        return Captions(
            rows.astype(np.int64),
            table["image"].to_numpy(np.int64)[rows],
            table["class_id"].to_numpy(np.int64)[rows],
        )

    def described_images(self, split: str) -> Rows:
        """Rows of the pictures of ``split`` that have a caption, in order."""
        return np.unique(self.captions(split).images)
