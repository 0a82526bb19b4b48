"""What a training of SEN trains: both encoders and the objective that compares them."""

from typing import Any

import torch
from torch import Tensor, nn

from s2igan.engine.device import full_precision
from s2igan.sen.batches import Batch
from s2igan.sen.build import build_encoder
from s2igan.sen.config import SenConfig
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.image_encoder import ImageEncoder, PictureEncoder, StandardisedFeatures
from s2igan.sen.losses import SenObjective
from s2igan.sen.teacher_student import TeacherStudentObjective


class SenModel(nn.Module):
    """An encoder of descriptions, one of pictures, and their objective.

    Args:
        speech_encoder: of descriptions, spoken or written.
        image_encoder: of pictures; without weights where the objective is teacher-student.
        objective: see :meth:`compared`.
    """

    def __init__(
        self,
        speech_encoder: DescriptionEncoder,
        image_encoder: PictureEncoder,
        objective: SenObjective | TeacherStudentObjective,
    ) -> None:
        super().__init__()
        self.speech_encoder = speech_encoder
        self.image_encoder = image_encoder
        self.objective = objective

    def compared(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the objective compares, descriptions and pictures, (n, E) float32 each.

        Of unit length for eq. (6); for teacher-student the description before it is scaled, and the
        picture's standardised features.
        """
        if isinstance(self.objective, TeacherStudentObjective):
            student = self.speech_encoder.describe(batch.frames, batch.lengths)
            return full_precision(student), batch.features
        speech = self.speech_encoder(batch.frames, batch.lengths)
        return speech, self.image_encoder(batch.features)


def build_model(
    config: SenConfig, *, bands: int, feature_dim: int, classes: int, distinctive: bool
) -> SenModel:
    """Build the configured model on the CPU; its weights follow from ``sen.seed`` alone.

    The encoder of descriptions is drawn first of all, so that it can be drawn again by itself.

    Args:
        config: the section ``sen``.
        bands: mel bands of a frame.
        feature_dim: size ``D`` of the joined backbone features.
        classes: training classes.
        distinctive: whether L_d is a term; ``sen.distinctive_loss`` where pictures have classes.
    """
    teaches = config.objective == "teacher_student"
    embedding_dim = feature_dim if teaches else config.embedding_dim
    sizes = encoder_sizes(config, bands, embedding_dim)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        encoder = build_encoder({"encoder": config.encoder, "speech_encoder": sizes})
        if teaches:
            return SenModel(encoder, StandardisedFeatures(feature_dim), TeacherStudentObjective())
        return SenModel(
            encoder,
            ImageEncoder(feature_dim, embedding_dim),
            SenObjective(
                embedding_dim,
                classes,
                matching=config.matching_loss,
                distinctive=distinctive,
                distinctive_weight=config.distinctive_weight,
                beta=config.beta,
                reduction=config.reduction,
            ),
        )


def encoder_sizes(config: SenConfig, bands: int, embedding_dim: int) -> dict[str, Any]:
    """Return the arguments of the configured encoder of descriptions.

    ``kernel``, ``stride``, ``activation``, ``gru_layers`` and ``attention_hidden`` are the paper's
    encoder's alone; the others have those that their authors published.
    """
    shared = {"channels": config.channels, "embedding_dim": embedding_dim}
    if config.encoder == "char_cnn_rnn":
        return {**shared, "hidden": config.gru_hidden}
    if config.encoder == "conv_blstm":
        return {**shared, "bands": bands, "lstm_hidden": config.gru_hidden}
    return {
        **shared,
        "bands": bands,
        "kernel": config.kernel,
        "stride": config.stride,
        "activation": config.activation,
        "gru_hidden": config.gru_hidden,
        "gru_layers": config.gru_layers,
        "attention_hidden": config.attention_hidden,
    }
