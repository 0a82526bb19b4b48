"""What is judged: the pictures that were drawn, and the real ones at the same size."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.nn import functional as F

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import open_array
from s2igan.engine.pictures import Picture
from s2igan.engine.tables import read_table
from s2igan.errors import UserError
from s2igan.evaluation.drawing import MEND, Drawing
from s2igan.evaluation.judge import Judge, Rows, Seen, SeenRows
from s2igan.evaluation.wording import units_of
from s2igan.vision.pixels import PackedPixels

Values = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


class Material:
    """Corpus, packed pictures and samples, side by side.

    Args:
        corpus: the corpus folder.
        features: the features folder.
        samples: the samples folder.
        crop: side of the centre square of a packed picture that a real picture shows, px.
        training_pictures: most training pictures that are looked at; None takes all.
        seed: draws them.

    Raises:
        UserError: if a file is missing or the folders do not belong together.
    """

    def __init__(
        self,
        corpus: Path,
        features: Path,
        samples: Path,
        crop: int,
        *,
        training_pictures: int | None = None,
        seed: int = 0,
    ) -> None:
        self.corpus = Corpus(corpus)
        self.drawing = Drawing.read(samples)
        with _samples_told():
            self.samples = read_table(samples / "samples.parquet", ["set", "utterance", "target"])
            self._drawn = _open_pictures(samples / "images.npy")
        self.crop = crop
        self._pixels = PackedPixels(features)
        self.size: int = self._drawn.shape[1]
        images = self.corpus.images
        self.image_classes: Rows = images["class_id"].to_numpy(np.int64)
        self.described: Rows = self.corpus.descriptions["image"].to_numpy(np.int64)
        self.classes: Rows = self.image_classes[self.described]
        mixed = np.random.default_rng(seed).permutation(self.image_rows("train"))
        self.training: Rows = np.sort(mixed[:training_pictures])
        self.corpus.check_rows(pictures={"pixels.npy": len(self._pixels)})
        if problem := self._problem():
            raise UserError(f"samples {str(samples)!r}", got=problem, fix=MEND)

    def _problem(self) -> str | None:
        """Say what keeps the samples from being judged by this corpus, if anything does."""
        if len(self._drawn) != len(self.samples):
            return f"{len(self._drawn)} pictures for the {len(self.samples)} rows of their table"
        drawn, utterances = self.samples[["utterance", "target"]], len(self.described)
        for row, column in np.argwhere(~drawn.isin(range(utterances)).to_numpy())[:1]:
            value = drawn.iloc[:, column].tolist()[row]
            return (
                f"{drawn.columns[column]} {value!r} in row {row} of their table, not a whole "
                f"number from 0 to {utterances - 1} as the corpus numbers its descriptions"
            )
        rows = self.drawn_captions
        for row in rows[~np.isin(self.targets(rows), self.captions())][:1]:
            return (
                f"target {self.targets(row)} in row {row} of their table, which is no caption of a "
                f"{self.drawn_set} picture of this corpus"
            )
        return self._miscounted(self.targets(rows))

    def _miscounted(self, targets: Rows) -> str | None:
        """Say how many captions of a picture were drawn, if not those told or all there are."""
        told = self.drawing.captions_per_picture
        drawn, there = self._per_picture(targets), self._per_picture(self.captions())
        most = drawn.max()
        if most == min(told, there[drawn > 0].max(initial=0)):
            return None
        return f"captions_per_picture {told}, but at most {most} of a picture in their table"

    def _per_picture(self, utterances: Rows) -> Rows:
        """Count different utterances of each picture of the index."""
        described = self.described[np.unique(utterances)]
        return np.bincount(described, minlength=len(self.image_classes))

    @property
    def protocol(self) -> list[str]:
        """What is true of every figure: the drawing, the preprocessing and the corpus."""
        targets = self.targets(self.drawn_captions)
        captions = self._per_picture(targets)
        told = self.drawing.sentence(len(targets), captions[captions > 0], units_of(self.corpus))
        return [told, self.preprocessing, self.edition]

    @property
    def edition(self) -> str:
        """Which corpus this is, in one sentence."""
        return f"corpus {self.corpus.info['kind']}, edition {self.corpus.info['edition']}"

    @property
    def preprocessing(self) -> str:
        """How pictures reach the judge, in one sentence."""
        resized = "" if self.crop == self.size else f", area-averaged to {self.size} px"
        return (
            f"{self.size}-px pictures of {self.drawing.by}; real pictures: "
            f"centre {self.crop} px of the packed picture{resized}, not flipped"
        )

    @property
    def drawn_set(self) -> str:
        """Whose captions were drawn, ``test`` or ``val``; the set of these samples, too."""
        return self.drawing.split

    @property
    def drawn_captions(self) -> Rows:
        """Rows of the samples of the captions that are judged."""
        return self.drawn_rows(self.drawn_set)

    def drawn(self, rows: Rows) -> Picture:
        """Return drawn pictures, ``(n, S, S, 3)`` uint8."""
        return np.ascontiguousarray(self._drawn[rows])

    def real(self, rows: Rows) -> Picture:
        """Return real pictures, rows of the index, at the drawn size, ``(n, S, S, 3)`` uint8."""
        squares = self._pixels.crops(rows, self.crop, None)
        if self.crop == self.size:
            return squares
        images = torch.from_numpy(squares).permute(0, 3, 1, 2).float()  # (n, 3, crop, crop)
        images = F.interpolate(images, (self.size, self.size), mode="area")
        return images.round().byte().permute(0, 2, 3, 1).contiguous().numpy()

    def drawn_rows(self, name: str) -> Rows:
        """Rows of the samples of one set, such as ``draws``, in order."""
        return np.flatnonzero(self.samples["set"].to_numpy() == name).astype(np.int64)

    def captions(self) -> Rows:
        """All utterances that describe pictures of the drawn set, changed sentences left out."""
        table = self.corpus.descriptions
        drawn = (table["role"] == "caption") & (table["split"] == self.drawn_set)
        return np.flatnonzero(drawn.to_numpy()).astype(np.int64)

    def image_rows(self, split: str) -> Rows:
        """Rows of the pictures of one split, in order."""
        splits = self.corpus.images["split"].to_numpy()
        return np.flatnonzero(splits == split).astype(np.int64)

    def reference(self) -> tuple[Rows, str]:
        """Rows of the real pictures that everything is compared with, and their name.

        Fresh pictures of the test species where the corpus has a split of them and test captions
        were drawn, else all pictures of the drawn split.
        """
        fresh = self._fresh("reference")
        if len(fresh):
            return fresh, "fresh real pictures of the test species"
        return self.image_rows(self.drawn_set), f"real {self.drawn_set} pictures"

    def floor(self) -> Rows:
        """Rows of further fresh pictures of the test species; none where there are no such."""
        return self._fresh("floor")

    def real_rows(self) -> Rows:
        """Rows of the real pictures that take part in any figure."""
        parts = [self.training, self.image_rows(self.drawn_set)]
        return np.unique(np.concatenate([*parts, self._fresh("reference"), self.floor()]))

    def _fresh(self, split: str) -> Rows:
        if self.drawn_set != "test":
            return np.empty(0, np.int64)
        return self.image_rows(split)

    def targets(self, rows: Rows) -> Rows:
        """Utterances that drawn pictures are judged against, ``(n,)``."""
        return self.samples["target"].to_numpy(np.int64)[rows]

    def pictures(self, rows: Rows) -> Rows:
        """Real pictures that drawn ones are judged beside, rows of the index, ``(n,)``."""
        return self.described[self.targets(rows)]

    def utterances(self, rows: Rows) -> Rows:
        """Utterances whose speech was drawn, ``(n,)``."""
        return self.samples["utterance"].to_numpy(np.int64)[rows]

    @property
    def noise_names(self) -> pd.Series | None:
        """What the table calls the noise of each drawn picture; None where it names none."""
        if "noise" not in self.samples:
            return None
        return self.samples["noise"].astype(str).fillna("none")  # whatever another model calls one

    def names_noise(self, *sets: str) -> bool:
        """Tell whether the table names the noise of every picture of these sets."""
        if "noise" not in self.samples:
            return False
        return bool(self.samples.loc[self.samples["set"].isin(sets), "noise"].notna().all())

    def noises(self, rows: Rows) -> Rows:
        """Number drawn pictures ``(n,)``, those of one real picture and one noise alike.

        One whose noise the table does not name, as that of another model need not, has its own.
        """
        if (names := self.noise_names) is None:
            return np.arange(len(rows))
        noise = names.iloc[rows]
        image = self.pictures(rows)
        numbers = np.array(noise.groupby([image, noise], sort=False).ngroup(), np.int64)
        unnamed = np.flatnonzero(self.samples["noise"].isna().to_numpy()[rows])
        numbers[unnamed] = len(rows) + np.arange(len(unnamed))
        return numbers


@dataclass(frozen=True)
class Compared:
    """What the network of fidelity sees in the sets of pictures that are compared as sets.

    Args:
        real: pictures of the index: training pictures, reference and floor.
        drawn: samples: those of the test utterances and of mismatched speech.
        network: how the network is named in protocols.
    """

    real: SeenRows
    drawn: SeenRows
    network: str

    @classmethod
    def of(cls, material: Material, network: Judge) -> "Compared":
        """Let a network look at every picture of these sets, and at no other."""
        real = np.concatenate([material.training, material.floor(), material.reference()[0]])
        drawn = np.union1d(material.drawn_captions, material.drawn_rows("mismatched"))
        return cls._look(material, network, np.unique(real), drawn)

    @classmethod
    def for_inception_score(cls, material: Material, network: Judge) -> "Compared":
        """Let a network look at the sets that have an inception score, and at no other picture."""
        fresh = material.floor()
        floor = fresh if len(fresh) else material.reference()[0]
        real = np.union1d(material.training, floor)
        return cls._look(material, network, real, material.drawn_captions)

    @classmethod
    def _look(cls, material: Material, network: Judge, real: Rows, drawn: Rows) -> "Compared":
        return cls(
            SeenRows(network.see(material.real, real, "real pictures"), real),
            SeenRows(network.see(material.drawn, drawn, "drawn pictures"), drawn),
            network.protocol,
        )


@dataclass(frozen=True)
class Judged:
    """The material and all that the networks saw in it, each picture once.

    Args:
        material: the pictures.
        real: what the judge saw in pictures of the index.
        drawn: per sample, likewise.
        judge: how the judge is named in protocols.
        compared: what the network of fidelity saw.
        classified: what the network of the inception score saw; None = that of fidelity.
    """

    material: Material
    real: SeenRows
    drawn: Seen
    judge: str
    compared: Compared
    classified: Compared | None = None

    @classmethod
    def of(
        cls,
        material: Material,
        judge: Judge,
        fidelity: Judge | None = None,
        classifier: Judge | None = None,
    ) -> "Judged":
        """Let the judge look at all pictures, ``fidelity``, by default the judge, at the sets that
        are compared, and ``classifier``, by default the latter, at those with an inception score.
        """
        images, samples = material.real_rows(), np.arange(len(material.samples))
        real = SeenRows(judge.see(material.real, images, "real pictures"), images)
        drawn = judge.see(material.drawn, samples, "drawn pictures")
        if fidelity is None:
            compared = Compared(real, SeenRows(drawn, samples), judge.protocol)
        else:
            compared = Compared.of(material, fidelity)
        classified = None
        if classifier is not None:
            classified = Compared.for_inception_score(material, classifier)
        return cls(material, real, drawn, judge.protocol, compared, classified)

    def protocol(self, *sentences: str) -> list[str]:
        """Return the protocol of a figure: its own sentences, then what all have in common."""
        return [*sentences, self.judge, *self.material.protocol]

    def fidelity_protocol(self, *sentences: str) -> list[str]:
        """Return the protocol of a figure in the features of the network of fidelity."""
        return [*sentences, self.compared.network, *self.material.protocol]


@dataclass(frozen=True)
class Attributes:
    """What is true of every picture and what every description mentions of it.

    Args:
        truth: ``(pictures, 8)`` int64, values of the attributes, numbered as in ``VALUES``.
        mentions: ``(utterances, 8)`` bool.
    """

    truth: Values
    mentions: Booleans

    @classmethod
    def of(cls, corpus: Corpus) -> "Attributes":
        """Take both from the index."""
        truth = np.stack([value_numbers(name, corpus.images[name]) for name in ATTRIBUTES], axis=1)
        told = [() if row is None else tuple(row) for row in corpus.descriptions["mentions"]]
        mentions = np.array([[name in row for name in ATTRIBUTES] for row in told], bool)
        return cls(truth, mentions.reshape(len(told), len(ATTRIBUTES)))


def value_numbers(attribute: str, values: "npt.ArrayLike") -> Values:
    """Number the values of one attribute as in ``VALUES``."""
    known = VALUES[attribute]
    return np.array([known.index(str(value)) for value in np.asarray(values)], np.int64)


def _open_pictures(path: Path) -> npt.NDArray[np.uint8]:
    drawn = np.asarray(open_array(path))
    square = drawn.ndim == 4 and drawn.shape[1:] == (*drawn.shape[1:2] * 2, 3) and drawn.shape[1]
    if drawn.dtype != np.uint8 or not square:
        raise UserError(
            f"drawn pictures {str(path)!r}",
            got=f"an array {drawn.shape} of {drawn.dtype}, not (n, S, S, 3) of uint8",
        )
    return drawn


@contextmanager
def _samples_told() -> Iterator[None]:
    # Whoever wrote them: a stage, or the user for another model.
    try:
        yield
    except UserError as error:
        raise UserError(error.what, got=error.got, fix=MEND) from error
