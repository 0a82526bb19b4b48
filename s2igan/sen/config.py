"""The sections ``sen`` and ``embed`` of ``params.yaml`` (paper §2.2)."""

from typing import Annotated, Final, Literal

from pydantic import Field

from s2igan.engine.section import Section

CONV_BLSTM_WIDTHS: Final = 5
"""Most ``channels`` of the encoder ``conv_blstm``."""

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Width = Annotated[int, Field(ge=1, le=8192)]


class SenConfig(Section):
    """How the speech and the image encoder are built and trained together.

    Paper values are those of §2.2 or, where the paper is silent, of its authors' published code.
    """

    seed: int = Field(ge=0, lt=2**64, description="draws weights, batches, captions and views")

    encoder: Literal["sed", "char_cnn_rnn", "conv_blstm"] = Field(
        description="what reads descriptions: sed = the paper's speech encoder, char_cnn_rnn = the "
        "characters of the text (Reed et al., StackGAN-v2 on text), conv_blstm = the speech "
        "encoder of direct speech-to-image translation, the paper's [12]"
    )
    objective: Literal["joint", "teacher_student"] = Field(
        description="joint = eq. (6); teacher_student = [12]: descriptions learn the standardised "
        "picture features themselves, whose number is then the size of both embeddings"
    )
    channels: list[Width] = Field(
        min_length=1,
        max_length=6,
        description="outputs of the 1-D convolutions over log-mel frames; paper 64, 128",
    )
    kernel: int = Field(
        ge=1, le=31, description="frames a convolution sees; used by encoder sed; paper 6"
    )
    stride: int = Field(
        ge=1, le=8, description="frames a convolution advances; used by encoder sed; paper 2"
    )
    activation: Literal["none", "relu"] = Field(
        description="what follows a convolution's batch norm; used by encoder sed; paper's code "
        "none"
    )
    gru_hidden: Width = Field(description="GRU units per direction; paper 512")
    gru_layers: int = Field(
        ge=1, le=8, description="bidirectional GRU layers; used by encoder sed; paper 2"
    )
    attention_hidden: Width = Field(
        description="hidden units of the self-attention; used by encoder sed; paper 128"
    )
    embedding_dim: Width = Field(
        description="size of both embeddings; used by objective joint; paper 1024 = 2 x 512, any "
        "other size than 2 x gru_hidden adds a linear projection to the speech encoder"
    )

    matching_loss: bool = Field(
        description="train with L_m, eq. (1)-(4); used by objective joint; paper true"
    )
    distinctive_loss: bool = Field(
        description="train with L_d, eq. (5); used by objective joint; paper true"
    )
    distinctive_weight: float = Field(
        ge=0.0, description="weight of L_d in eq. (6); used by objective joint; paper 1"
    )
    beta: float = Field(
        gt=0.0,
        description="scale of the cosine similarity, eq. (1); used by objective joint; paper 10",
    )
    reduction: Literal["mean", "sum"] = Field(
        description="over the batch: the paper writes sum, its code takes the mean; used by "
        "objective joint"
    )

    steps: int = Field(ge=1, description="length of training; paper 150 epochs, CUB 10,350 steps")
    batch: int = Field(ge=2, description="pairs per step; paper 128")
    lr: float = Field(gt=0.0, description="Adam's learning rate; paper 1e-3")
    betas: list[Share] = Field(
        min_length=2, max_length=2, description="Adam's averaging; paper 0.95, 0.999"
    )
    weight_decay: float = Field(ge=0.0, description="L2 penalty inside Adam; paper 1e-3")
    schedule: Literal["step", "cosine"] = Field(
        description="step: lr times decay_factor every decay_every_steps (paper); cosine: to 0"
    )
    warmup_steps: int = Field(ge=0, description="linear rise of lr at the start; paper 0")
    decay_every_steps: int = Field(
        ge=1, description="used by schedule step; paper 50 epochs, CUB 3,450 steps"
    )
    decay_factor: float = Field(gt=0.0, le=1.0, description="used by schedule step; paper 0.1")
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of matrix products, float32 or bfloat16; weights stay float32; "
        "paper float32"
    )

    time_masks: int = Field(
        ge=0,
        description="stretches silenced per training utterance; used by encoders sed and "
        "conv_blstm; paper 0",
    )
    time_mask_frames: int = Field(
        ge=0, description="longest such stretch, 10 ms frames; used by encoders sed and conv_blstm"
    )
    band_masks: int = Field(
        ge=0,
        description="bands of mel silenced per utterance; used by encoders sed and conv_blstm; "
        "paper 0",
    )
    band_mask_bands: int = Field(
        ge=0,
        description="widest such band, of the 40 mel bands; used by encoders sed and conv_blstm",
    )
    frame_noise: float = Field(
        ge=0.0,
        description="largest sd of noise on normalised log-mel frames, with which other speakers "
        "are understood better; used by encoders sed and conv_blstm; paper 0",
    )
    feature_noise: float = Field(
        ge=0.0,
        description="sd of noise on standardised picture features; used by objective joint; paper "
        "0",
    )
    feature_dropout: Share = Field(
        description="share of picture features dropped; used by objective joint; paper 0"
    )

    keep: Literal["last", "best_val", "best_test_as_published"] = Field(
        description="weights kept: last = the last step's; best_val = those with the best mAP on "
        "val classes; best_test_as_published = on test classes, as in the authors' code, only "
        "for comparison with published figures"
    )
    log_every_steps: int = Field(ge=1, description="steps per row of the loss curve")
    val_every_steps: int = Field(
        ge=1, description="steps between two mAPs on val classes, where the corpus has any"
    )
    checkpoint_every_steps: int = Field(
        ge=1, description="steps between two checkpoints to resume from"
    )
    when_not_finite: Literal["retry", "stop"] = Field(
        description="on a loss or weight that is not finite: retry = once more from the last "
        "checkpoint, stop = stop"
    )


class EmbedConfig(Section):
    """How embeddings are computed and retrieval is measured (paper §2.4, mAP)."""

    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of matrix products, float32 or bfloat16"
    )
    frames_per_batch: int = Field(
        ge=1, description="log-mel frames, padding included, encoded at a time; bounds memory"
    )
    seed: int = Field(ge=0, description="draws permutations for chance and bootstrap samples")
    chance_permutations: int = Field(
        ge=1, le=1000, description="permutations of the descriptions that chance is averaged over"
    )
    bootstrap_draws: int = Field(
        ge=100, le=100_000, description="resamples of the test classes behind each interval"
    )
