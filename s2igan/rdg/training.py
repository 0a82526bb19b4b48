"""One training of the RDG: networks, curves, grid and position (paper §2.3.3)."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2igan.engine.ahead import made_ahead
from s2igan.engine.curves import Curves
from s2igan.engine.distributed import is_first
from s2igan.engine.keeper import Keeper, last_state
from s2igan.engine.progress import Bar, bar
from s2igan.engine.session import Session
from s2igan.rdg.artifact import DESCRIPTION, WEIGHTS, save_generator
from s2igan.rdg.batches import BatchStream
from s2igan.rdg.calibration import calibrated
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.draw import draw, noise_vectors, to_uint8
from s2igan.rdg.generator import Generator
from s2igan.rdg.learning_encoder import embed_sequences
from s2igan.rdg.monitor import FIX, TrainingGrid, main_losses
from s2igan.rdg.networks import to_scales
from s2igan.rdg.speech_modes import LearningSpeech, SpeechMode
from s2igan.rdg.speech_source import Floats, Sequences
from s2igan.rdg.step import RdgStep
from s2igan.rdg.supervision import ImageEmbedding
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.vision.device_pixels import Crops

CALIBRATION_BATCHES = 16


class Averaged(NamedTuple):
    """What a training keeps, in evaluation mode, with batch norm statistics of its own."""

    generator: Generator
    encoder: DescriptionEncoder | None  # None where none learns


class RdgTraining:
    """One training run, as a checkpoint holds it.

    Args:
        config: the section ``rdg``.
        stream: the batches.
        speech: which speech encoder the generator obeys.
        embed_image: see :class:`RdgStep`; None leaves the relation supervisor out.
        session: device, tracking and checkpoints.
    """

    def __init__(
        self,
        config: RdgConfig,
        stream: BatchStream,
        speech: SpeechMode,
        embed_image: ImageEmbedding | None,
        session: Session,
    ) -> None:
        self.config, self.stream, self.speech, self.session = config, stream, speech, session
        self.update = RdgStep(
            config,
            embedding_dim=stream.speech.embedding_dim,
            embed_image=embed_image,
            encoder=speech.learning,
            speech_statistics=speech.statistics() if config.standardise_speech else None,
            device=session.device,
        )
        self.step = 0
        self.curves = Curves("the generative model", FIX)
        self._shown = self._choose_shown()
        self.grid = TrainingGrid(self._real_row(), steps=config.steps, rows=config.grid_rows)

    def fit(self) -> None:
        """Train to the last step, on from the checkpoint where there is one."""
        saved = last_state(self.session)
        if saved is not None:
            self.load_state_dict(saved)
        keeper = self._keeper()
        with keeper.watching(), self._bar() as progress:
            for batch in made_ahead(self.stream.__getitem__, self.step, self.config.steps):
                self.curves.add(self.update(self.step, batch))
                self.step += 1
                if self._on_interval():
                    progress.note(main_losses(self.curves.rows[-1]))
                progress.update()
                keeper.after(self.step)

    def _keeper(self) -> Keeper:
        return Keeper(
            self.session,
            self.curves,
            state=self.state_dict,
            every=self.config.checkpoint_every,
            steps=self.config.steps,
        )

    def _bar(self) -> Bar[None]:
        config = self.config
        return bar(
            config.steps,
            "train_rdg",
            done=self.step,
            unit="images",
            each=config.batch_size,
            shown=self.session.progress,
        )

    def averaged(self) -> Averaged:
        """Return the averaged generator, and the averaged encoder where one learns."""
        encoder = None
        if isinstance(self.speech, LearningSpeech) and self.update.learning is not None:
            encoder = self.speech.settled(self.update.learning.averaged)
        generator = calibrated(
            self.update.averaged_generator,
            (self._inputs(index, encoder) for index in range(CALIBRATION_BATCHES)),
            device=self.session.device,
            precision=self.config.precision,
        )
        return Averaged(generator, encoder)

    def _on_interval(self) -> bool:
        logs = self.step == self.config.steps or self.step % self.config.log_every == 0
        if logs:
            self.session.tracker.log(self.step, self.curves.close_row(self.step))
        if self.step in self.grid.at:
            self._show()
        return logs

    def _show(self) -> None:
        generator, encoder = self.averaged()
        if not is_first():
            return
        speech, noise = self._shown[1:]
        pictures = draw(
            generator,
            self._embedded(speech, encoder).cpu().numpy(),
            noise,
            device=self.session.device,
            precision=self.config.precision,
        )
        self.session.tracker.picture("training_grid", self.grid.add(pictures), self.step)
        with tempfile.TemporaryDirectory() as folder:
            save_generator(Path(folder), generator, training={"steps": self.step})
            for name in (DESCRIPTION, WEIGHTS):
                self.session.tracker.file(Path(folder) / name, "rdg")

    def _choose_shown(self) -> tuple[Any, Floats | Sequences, npt.NDArray[np.float32]]:
        # Pictures far apart in the class order, each with its first caption and its own noise.
        pictures, columns = self.stream.pictures, self.config.grid_columns
        chosen = np.arange(columns) * len(pictures) // columns
        speech = self.stream.speech(pictures.first_utterances(chosen))
        dimension = self.config.noise_dim + self.config.condition_dim
        noise = noise_vectors(self.config.seed, range(columns), dimension)
        return pictures.images[chosen], speech, noise

    def _real_row(self) -> Any:
        crops = self.stream.pixels.crops(self._shown[0], self.config.crop, None)
        pictures = crops.cut() if isinstance(crops, Crops) else torch.from_numpy(crops)
        return to_uint8(to_scales(pictures, self.update.generator.sizes)[-1])

    def _inputs(
        self, index: int, encoder: DescriptionEncoder | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        batch, device = self.stream[index], self.session.device
        noise, condition_noise = (
            torch.from_numpy(values).to(device) for values in (batch.noise, batch.condition_noise)
        )
        return self._embedded(batch.speech, encoder), noise, condition_noise

    @torch.no_grad()
    def _embedded(self, speech: Floats | Sequences, encoder: DescriptionEncoder | None) -> Tensor:
        if not isinstance(speech, Sequences):
            return torch.from_numpy(speech).to(self.session.device)
        if encoder is None:
            raise ValueError("the batch holds speech to be embedded, and no encoder learns")
        return embed_sequences(encoder, speech)

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
