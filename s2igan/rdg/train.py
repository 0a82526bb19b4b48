"""Training of the RDG (paper §2.3) on frozen speech and image embeddings of the SEN."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import open_array
from s2igan.engine.divergence import fit_past_faults
from s2igan.engine.folders import fresh_folder
from s2igan.engine.progress import bar
from s2igan.engine.session import Session
from s2igan.errors import UserError
from s2igan.rdg.artifact import DESCRIPTION, WEIGHTS, copy_speech_encoder, save_generator
from s2igan.rdg.batches import BatchStream, TrainingPictures
from s2igan.rdg.calibration import calibrated
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.draw import draw, noise_vectors, to_uint8
from s2igan.rdg.generator import Generator
from s2igan.rdg.monitor import Curves, TrainingGrid
from s2igan.rdg.step import RdgStep, to_scales
from s2igan.rdg.supervision import ImageEmbedding
from s2igan.sen.images import load_image_embedding
from s2igan.vision.pixels import PackedPixels

CALIBRATION_BATCHES = 16


def train_rdg(
    config: RdgConfig,
    *,
    corpus: Path,
    features: Path,
    embeddings: Path,
    sen: Path,
    weights: Path,
    out: Path,
    curves: Path,
    grid: Path,
    session: Session,
) -> None:
    """Train on the pictures of the split ``train`` and write ``artifacts/rdg``.

    The generator that is kept is the average over the steps, at the last step.

    Args:
        config: the section ``rdg``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        embeddings: ``artifacts/embeddings``.
        sen: ``artifacts/sen``.
        weights: ``artifacts/weights``, read where generated pictures are embedded.
        out: ``artifacts/rdg``.
        curves: TSV of every loss term over the steps.
        grid: PNG of fixed captions and noise over the steps.
        session: device, tracking and checkpoints.

    Raises:
        UserError: if an input is missing or unfit, or a loss stops being finite.
    """
    if config.crop < 4 * config.base_size:
        raise UserError(
            "rdg.crop",
            got=config.crop,
            expected=f"at least {4 * config.base_size}, the last scale of rdg.base_size",
        )
    stream = open_stream(config, corpus, features, embeddings)
    if config.use_rs:
        check_views(stream)
    embed_image = None
    if config.use_rs or config.matching_weight:
        embed_image = load_image_embedding(features, weights, sen, session.device)
    training = fit_past_faults(lambda: RdgTraining(config, stream, embed_image, session))
    with fresh_folder(out) as partial:
        save_generator(
            partial,
            training.averaged(),
            training={"steps": config.steps, "final": training.curves.rows[-1]},
        )
        copy_speech_encoder(sen, partial)
    training.curves.write(curves)
    training.grid.write(grid)
    for path in sorted(out.iterdir()):
        session.tracker.file(path, "rdg")


def open_stream(config: RdgConfig, corpus: Path, features: Path, embeddings: Path) -> BatchStream:
    """Open what the RDG trains on.

    Raises:
        UserError: if an input is missing or the corpus has fewer than two training classes.
    """
    opened = Corpus(corpus)
    return BatchStream(
        TrainingPictures(opened.images, opened.descriptions),
        PackedPixels(features),
        open_array(embeddings / "speech.npy"),
        open_array(embeddings / "image.npy"),
        seed=config.seed,
        batch_size=config.batch_size,
        crop=config.crop,
        noise_dim=config.noise_dim,
        condition_dim=config.condition_dim,
        wrong_pictures=config.wrong_pairs == "pictures",
        embedding_mix=config.embedding_mix,
    )


def check_views(stream: BatchStream) -> None:
    """Refuse pictures that the relation supervisor could compare with nothing but themselves.

    Raises:
        UserError: if a picture is the only one of its class and was looked at in a single view.
    """
    lonely, views = stream.pictures.lonely, stream.seen.shape[1]
    if lonely and views < 2:
        raise UserError(
            "features.views",
            got=views,
            expected=f"at least 2, since {lonely} training pictures have no other picture of their "
            "class and the relation supervisor compares each with another view of itself",
            fix="raise it or set rdg.use_rs to false",
        )


class RdgTraining:
    """One training run: networks, curves, grid and position, as a checkpoint holds them.

    Args:
        config: the section ``rdg``.
        stream: the batches.
        embed_image: see :class:`RdgStep`; None leaves the relation supervisor out.
        session: device, tracking and checkpoints.
    """

    def __init__(
        self,
        config: RdgConfig,
        stream: BatchStream,
        embed_image: ImageEmbedding | None,
        session: Session,
    ) -> None:
        self.config, self.stream, self.session = config, stream, session
        self.update = RdgStep(
            config,
            embedding_dim=stream.speech.shape[1],
            embed_image=embed_image,
            device=session.device,
        )
        if config.standardise_speech:
            mean, deviation = stream.speech_statistics()
            self.update.standardise_speech(torch.from_numpy(mean), deviation)
        self.step = 0
        self.curves = Curves()
        self._shown = self._choose_shown()
        self.grid = TrainingGrid(self._real_row(), steps=config.steps, rows=config.grid_rows)

    def fit(self) -> None:
        """Train to the last step, on from the checkpoint where there is one."""
        saved = self.session.checkpoints.load()
        if saved is not None:
            self.load_state_dict(saved)
        remaining = self.config.steps - self.step
        batches = self.stream.ahead(self.step, self.config.steps)
        for batch in bar(batches, "train_rdg", total=remaining):
            self.curves.add(self.update(self.step, batch))
            self.step += 1
            self._on_interval()

    def averaged(self) -> Generator:
        """Return the averaged generator, with batch norm statistics of its own."""
        return calibrated(
            self.update.averaged_generator,
            (self._inputs(index) for index in range(CALIBRATION_BATCHES)),
            device=self.session.device,
            precision=self.config.precision,
        )

    def _on_interval(self) -> None:
        config, last = self.config, self.step == self.config.steps
        if last or self.step % config.log_every == 0:
            self.session.tracker.log(self.step, self.curves.close_row(self.step))
        if self.step in self.grid.at:
            self._show()
        if self.step % config.checkpoint_every == 0 and not last:
            self.curves.check(self.step)
            self.session.checkpoints.save(self.state_dict())

    def _show(self) -> None:
        generator = self.averaged()
        speech, noise = self._shown[1:]
        pictures = draw(
            generator,
            speech,
            noise,
            device=self.session.device,
            precision=self.config.precision,
        )
        self.session.tracker.picture("training_grid", self.grid.add(pictures), self.step)
        with tempfile.TemporaryDirectory() as folder:
            save_generator(Path(folder), generator, training={"steps": self.step})
            for name in (DESCRIPTION, WEIGHTS):
                self.session.tracker.file(Path(folder) / name, "rdg")

    def _choose_shown(self) -> tuple[Any, Any, Any]:
        # Pictures far apart in the class order, each with its first caption and its own noise.
        pictures, columns = self.stream.pictures, self.config.grid_columns
        chosen = np.arange(columns) * len(pictures) // columns
        captions = pictures.first_utterances(chosen)
        speech = np.asarray(self.stream.speech[captions], np.float32)
        dimension = self.config.noise_dim + self.config.condition_dim
        noise = noise_vectors(self.config.seed, range(columns), dimension)
        return pictures.images[chosen], speech, noise

    def _real_row(self) -> Any:
        crops = self.stream.pixels.crops(self._shown[0], self.config.crop, None)
        return to_uint8(to_scales(torch.from_numpy(crops), self.update.generator.sizes)[-1])

    def _inputs(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        batch = self.stream[index]
        speech, noise, condition_noise = (
            torch.from_numpy(values).to(self.session.device)
            for values in (batch.speech, batch.noise, batch.condition_noise)
        )
        return speech, noise, condition_noise

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "networks": self.update.state_dict(),
            "curves": self.curves.state_dict(),
            "grid": self.grid.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.step = state["step"]
        self.update.load_state_dict(state["networks"])
        self.curves.load_state_dict(state["curves"], self.session.device)
        self.grid.load_state_dict(state["grid"])
