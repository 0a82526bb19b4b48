"""Three controls beside the generator: mismatched speech, retrieved training pictures, real ones.

All rows are judged against the same utterances, so their figures can be read down a column.
"""

from pathlib import Path

import numpy as np

from s2igan.engine.arrays import open_array
from s2igan.evaluation.consistency import retrieval_figures
from s2igan.evaluation.fidelity import few_pictures, frechet_distance
from s2igan.evaluation.figures import Figure, Resampling, absent, figure
from s2igan.evaluation.judge import Rows, Seen
from s2igan.evaluation.keywords import read
from s2igan.evaluation.material import Attributes, Judged, Material
from s2igan.evaluation.wording import noun_of
from s2igan.metrics.retrieval import search, search_others

_UTTERANCES_PER_BLOCK = 1024


def control_figures(
    judged: Judged,
    attributes: Attributes | None,
    reason: str | None,
    embeddings: Path,
    resampling: Resampling,
) -> dict[str, object]:
    """Judge the controls and, on the same utterances, the generator.

    Args:
        judged: the pictures and what the judge saw.
        attributes: truths and mentions, or None.
        reason: why there are no attributes.
        embeddings: folder of ``speech.npy`` and ``image.npy``.
        resampling: chance and intervals.

    Returns:
        ``generated``, ``mismatched_speech``, ``retrieved_training_pictures`` and ``real``, each
        with mAP, FID and, where there are attributes, ``keywords``.
    """
    material = judged.material
    mismatched = material.drawn_rows("mismatched")
    drawn = material.drawn_captions
    if len(mismatched):
        drawn = drawn[np.isin(material.targets(drawn), material.targets(mismatched))]
    targets = material.targets(drawn)
    retrieved = retrieve(material, embeddings, targets)
    table = _Table(judged, attributes, reason, resampling)
    other = f"the speech of another {noun_of(material.corpus)}"
    return {
        "generated": table.drawn_row(drawn, "pictures drawn from the utterance's own speech"),
        "mismatched_speech": absent(f"no {material.drawn_set} utterance was drawn from {other}")
        if not len(mismatched)
        else table.drawn_row(mismatched, f"pictures drawn from {other}"),
        "retrieved_training_pictures": table.row(
            judged.real.take(retrieved),
            judged.compared.real.take(retrieved),
            drawn,
            f"pictures nearest to the speech in SEN's space, of {len(material.training)} training "
            "pictures",
        ),
        "real": table.real_row(drawn),
    }


def retrieve(material: Material, embeddings: Path, utterances: Rows) -> Rows:
    """Find the training picture whose image embedding is nearest to each speech embedding.

    Args:
        material: the corpus.
        embeddings: folder of ``speech.npy`` ``(utterances, E)`` and ``image.npy``
            ``(pictures, views, E)``, of unit length; the centre view is searched.
        utterances: ``(n,)``.

    Returns:
        ``(n,)``, rows of the index.
    """
    train = material.training
    speech = open_array(embeddings / "speech.npy")
    gallery = np.asarray(open_array(embeddings / "image.npy")[train, 0])  # (train, E)
    nearest = np.empty(len(utterances), np.int64)
    for start in range(0, len(utterances), _UTTERANCES_PER_BLOCK):
        block = slice(start, start + _UTTERANCES_PER_BLOCK)
        nearest[block] = (np.asarray(speech[utterances[block]]) @ gallery.T).argmax(axis=1)
    return train[nearest]


class _Table:
    """Judges one set of pictures per row, all against the same utterances."""

    def __init__(
        self,
        judged: Judged,
        attributes: Attributes | None,
        reason: str | None,
        resampling: Resampling,
    ) -> None:
        self._judged = judged
        self._attributes = attributes
        self._reason = str(reason)
        self._resampling = resampling
        material = judged.material
        drawn = material.drawn_captions
        self._queries = np.unique(material.pictures(drawn))
        self._real = f"real {material.drawn_set} picture"
        self._reference, self._reference_name = material.reference()

    def row(
        self, seen: Seen, compared: Seen, rows: Rows, what: str, noises: Rows | None = None
    ) -> dict[str, object]:
        """Judge pictures against the utterances that samples ``rows`` stand for.

        ``seen`` is what the judge saw in them, ``compared`` what the network of fidelity did;
        ``noises`` tells those apart that were drawn.
        """
        judged, material = self._judged, self._judged.material
        mAP = retrieval_figures(
            search(judged.real.take(self._queries).features, seen.features),
            material.image_classes[self._queries],
            material.classes[material.targets(rows)],
            self._resampling,
            judged.protocol(f"{self._real}s search {what}"),
            noun=noun_of(material.corpus),
            noises=noises,
        )["mAP"]
        return {
            "mAP": mAP,
            "FID": self._fid(compared, what),
            "keywords": self._words(seen, rows, what),
        }

    def drawn_row(self, rows: Rows, what: str) -> dict[str, object]:
        """Judge the drawn pictures of samples ``rows``."""
        judged, noises = self._judged, self._judged.material.noises(rows)
        return self.row(
            judged.drawn.take(rows), judged.compared.drawn.take(rows), rows, what, noises
        )

    def real_row(self, rows: Rows) -> dict[str, object]:
        """Judge the real pictures that samples ``rows`` stand for."""
        judged, material = self._judged, self._judged.material
        what = f"the {self._real}s"
        pictures = material.pictures(rows)
        return {
            "mAP": self._mean_precision_of_real(),
            "FID": self._fid_of_real(len(rows)),
            "keywords": self._words(judged.real.take(pictures), rows, what),
        }

    def _mean_precision_of_real(self) -> Figure:
        judged, material = self._judged, self._judged.material
        if not material.corpus.has_classes:
            return absent("without classes no other real picture is relevant to one")
        classes = material.image_classes[self._queries]
        return retrieval_figures(
            search_others(judged.real.take(self._queries).features),
            classes,
            classes,
            self._resampling,
            judged.protocol(f"each {self._real} searches the others"),
            noun=noun_of(material.corpus),
            each_other=True,
        )["mAP"]

    def _fid(self, compared: Seen, what: str) -> Figure:
        if min(len(compared), len(self._reference)) < 2:
            return absent("a distance is between two pictures or more on either side")
        reference = self._judged.compared.real.take(self._reference)
        return figure(
            frechet_distance(compared, reference),
            self._judged.fidelity_protocol(
                f"{len(compared)} {what}, against {len(self._reference)} {self._reference_name}",
                *few_pictures(compared, reference),
            ),
        )

    def _fid_of_real(self, count: int) -> Figure:
        floor = self._judged.material.floor()
        if not len(floor):
            return absent(f"the {self._real}s are the reference; see fidelity/floor")
        # As many as the other rows have, since the distance falls with the number of pictures.
        mixed = np.random.default_rng(self._resampling.seed).permutation(floor)[:count]
        return self._fid(
            self._judged.compared.real.take(np.sort(mixed)),
            "fresh real pictures of the test species",
        )

    def _words(self, seen: Seen, rows: Rows, what: str) -> dict[str, object]:
        if self._attributes is None:
            return absent(self._reason)
        reading = read(self._judged, self._attributes, seen.readings(), rows)
        protocol = self._judged.protocol(
            f"share of the mentioned attributes that the judge sees in {what}"
        )
        return {
            group: reading.figure(group, self._resampling, protocol) for group in ("all", "colours")
        }
