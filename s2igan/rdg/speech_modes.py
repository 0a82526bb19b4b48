"""Which speech encoder the generator obeys: one class per value of ``rdg.speech_encoder``.

Whichever it is, the relation supervisor sees pictures through SEN's trained image encoder, batches
draw the same captions, and F_ca, the losses and the sampler are the same.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import torch

from s2igan.engine.arrays import Ragged, open_array
from s2igan.rdg.artifact import copy_speech_encoder, write_speech_encoder
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.speech_source import EmbeddedSpeech, Floats, Integers, SpeechSource, SpokenSpeech
from s2igan.rdg.utterances import calibrated_encoder, embed_utterances
from s2igan.sen.artifact import read_description, seeded_speech_encoder
from s2igan.sen.encoder import DescriptionEncoder


class SpeechMode(ABC):
    """Speech as the training reads it.

    Attributes:
        source: gives batches their captions.
    """

    source: SpeechSource

    @property
    def learning(self) -> DescriptionEncoder | None:
        """The encoder that a learning one begins as; None where none learns."""
        return None

    @abstractmethod
    def statistics(self) -> tuple[Floats, float]:
        """Return what F_ca standardises by: mean ``(E,)`` and deviation of training captions."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write the frozen encoder, or the one that a learning one began as, into ``folder``."""


class TrainedSpeech(SpeechMode):
    """``trained``: SEN's encoder, by the embeddings that the stage ``embed`` wrote.

    Args:
        embeddings: ``artifacts/embeddings``.
        sen: ``artifacts/sen``.
        captions: the training captions.

    Raises:
        UserError: if an input is missing.
    """

    def __init__(self, embeddings: Path, sen: Path, captions: Integers) -> None:
        self.source: EmbeddedSpeech = EmbeddedSpeech(open_array(embeddings / "speech.npy"))
        self._sen, self._captions = sen, captions

    def statistics(self) -> tuple[Floats, float]:
        """See :meth:`SpeechMode.statistics`."""
        return self.source.statistics(self._captions)

    def write(self, folder: Path) -> None:
        """See :meth:`SpeechMode.write`."""
        copy_speech_encoder(self._sen, folder)


class _SeededSpeech(SpeechMode):
    """The encoder that SEN began with: seeded weights, batch norms that know training captions.

    The initial statistics of a batch norm, zero and one, are those of no speech; measured ones give
    an untrained encoder the form that a trained one has, and a learning one the function that it
    begins with in training mode.

    Args:
        seed: draws the captions that batch norms are measured by.
        features: ``artifacts/features``.
        sen: ``artifacts/sen``, whose weights are not read.
        captions: the training captions.
        folder: the disk that holds their embeddings.
        device: where to compute.

    Attributes:
        encoder: on ``device``, in evaluation mode.
    """

    def __init__(
        self,
        seed: int,
        *,
        features: Path,
        sen: Path,
        captions: Integers,
        folder: Path,
        device: torch.device,
    ) -> None:
        self._seed, self._sen, self._captions = seed, sen, captions
        self._folder, self._device = folder, device
        seeded = seeded_speech_encoder(sen).to(device).requires_grad_(False)
        self._sequences = Ragged(features, seeded.reads)
        self.encoder = self.settled(seeded)
        self.source = self._open_source()

    @abstractmethod
    def _open_source(self) -> SpeechSource: ...

    def settled(self, encoder: DescriptionEncoder) -> DescriptionEncoder:
        """Return a copy in evaluation mode whose batch norms know the training captions."""
        return calibrated_encoder(
            encoder, self._sequences, self._captions, seed=self._seed, device=self._device
        )

    def statistics(self) -> tuple[Floats, float]:
        """See :meth:`SpeechMode.statistics`."""
        return self._embedded().statistics(self._captions)

    def write(self, folder: Path) -> None:
        """See :meth:`SpeechMode.write`."""
        write_speech_encoder(folder, self.encoder, read_description(self._sen))

    def _embedded(self) -> EmbeddedSpeech:
        return EmbeddedSpeech(
            embed_utterances(
                self.encoder,
                self._sequences,
                self._captions,
                folder=self._folder,
                device=self._device,
                name="train_rdg",
            )
        )


class UntrainedSpeech(_SeededSpeech):
    """``untrained`` (w/o SEN): the seeded encoder, frozen; training captions are embedded once."""

    source: EmbeddedSpeech

    def _open_source(self) -> EmbeddedSpeech:
        return self._embedded()

    def statistics(self) -> tuple[Floats, float]:
        """See :meth:`SpeechMode.statistics`."""
        return self.source.statistics(self._captions)


class LearningSpeech(_SeededSpeech):
    """``end_to_end``: the seeded encoder, which from there on learns with the generator.

    F_ca is standardised by the embeddings of the seeded encoder throughout, so that it begins as
    ``untrained`` does; statistics that followed the encoder would be a batch norm more.
    """

    @property
    def learning(self) -> DescriptionEncoder:
        """See :attr:`SpeechMode.learning`."""
        return self.encoder

    def _open_source(self) -> SpokenSpeech:
        return SpokenSpeech(self._sequences, self.encoder.embedding_dim)


def open_speech(
    config: RdgConfig,
    captions: Integers,
    *,
    features: Path,
    embeddings: Path,
    sen: Path,
    folder: Path,
    device: torch.device,
) -> SpeechMode:
    """Open the speech that ``config`` asks for.

    Args:
        config: the section ``rdg``.
        captions: the training captions.
        features: ``artifacts/features``, read where an encoder is not SEN's trained one.
        embeddings: ``artifacts/embeddings``, read where it is.
        sen: ``artifacts/sen``.
        folder: the disk that holds embeddings of an untrained encoder.
        device: where to compute.

    Raises:
        UserError: if an input is missing or unfit.
    """
    if config.speech_encoder == "trained":
        return TrainedSpeech(embeddings, sen, captions)
    mode = UntrainedSpeech if config.speech_encoder == "untrained" else LearningSpeech
    return mode(
        config.seed, features=features, sen=sen, captions=captions, folder=folder, device=device
    )
