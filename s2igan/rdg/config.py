"""The sections ``rdg`` and ``sample`` of ``params.yaml`` (paper §2.3)."""

from typing import Annotated, Literal

from pydantic import Field

from s2igan.engine.section import Section

Augmentation = Literal["translation", "cutout", "brightness", "saturation", "contrast"]


class RdgConfig(Section):
    """Training of the relation-supervised densely-stacked generative model."""

    seed: int = Field(ge=0, description="seed of initial weights, batches, noise, augmentation")
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of the convolutions, float32 or bfloat16; losses are float32 "
        "(paper: float32)"
    )

    base_size: Literal[8, 16, 32, 64, 128] = Field(
        description="side of the first of three scales, 8, 16, 32, 64 or 128 px; the others are "
        "twice and four times as large (paper: 64)"
    )
    crop: int = Field(
        ge=8,
        description="side of the random crop taken out of the packed pictures, px, then resized "
        "to the three scales; a whole multiple of 4 x base_size averages areas exactly "
        "(paper: 256)",
    )
    gf: int = Field(ge=4, multiple_of=4, description="channels of h0, halved per scale (paper: 64)")
    df: int = Field(ge=4, description="channels of the discriminators' first layer (paper: 64)")
    d_widest: int | None = Field(
        ge=4,
        description="most channels of any map of a discriminator; null = they double at every "
        "halving (paper: null, 2,048 at 256 px)",
    )
    noise_dim: int = Field(ge=1, description="dimension of the noise z (paper: 100)")
    condition_dim: int = Field(
        ge=1, description="dimension of the augmented condition F_ca(A) (paper: 128)"
    )
    residual_blocks: int = Field(
        ge=0, description="residual blocks in each of F1 and F2 (paper: 2)"
    )
    dense: Literal["none", "paper", "released"] = Field(
        description="dense stacking: none = StackGAN-v2, paper = eq. (7), released = the authors' "
        "code, where a stage's input joins its output before upsampling"
    )

    speech_encoder: Literal["trained", "untrained", "end_to_end"] = Field(
        description="the speech encoder: trained = SEN's, untrained = frozen at SEN's initial "
        "weights (w/o SEN), end_to_end = trained from there with the generator"
    )
    standardise_speech: bool = Field(
        description="whether F_ca sees speech embeddings centred and scaled to unit variance over "
        "the training captions, which a short training needs (paper: false)"
    )
    condition_on: Literal["mu", "sample"] = Field(
        description="what the discriminators see of the speech: the mean of F_ca(A), as in the "
        "authors' code, or a sample of it, as in eqs. (10) and (12)"
    )
    wrong_pairs: Literal["none", "pictures", "speech"] = Field(
        description="mismatched real pairs as negatives of the conditional loss: none = eq. (12), "
        "pictures = another class's picture under each condition (the authors' code), speech = "
        "each picture under another class's speech (a third less work)"
    )
    uncond_weight: float = Field(ge=0, description="weight of the unconditional losses (paper: 1)")
    kl_weight: float = Field(ge=0, description="weight of the KL term of F_ca (authors' code: 2)")
    use_rs: bool = Field(description="whether the relation supervisor takes part (paper: true)")
    rs_weight: float = Field(gt=0, description="weight of the generator's relation loss (paper: 1)")
    rs_every: int = Field(
        ge=1,
        description="every how many steps SEN's image encoder sees generated pictures, for the "
        "relation supervisor and the matching loss (paper: 1)",
    )
    matching_weight: float = Field(
        ge=0,
        description="weight of SEN's matching loss, eqs. (1) to (4) with a beta of 10, between "
        "generated pictures and the speech they were drawn from (paper: 0)",
    )

    class_aware_weight: float = Field(
        ge=0,
        description="weight of the class-aware loss on features of the discriminators, part of "
        "the generator of [12] (paper: 0, [12]: 1)",
    )

    augment: list[Augmentation] = Field(
        description="random transforms applied alike to real and generated pictures before the "
        "discriminators, any of translation, cutout, brightness, saturation and contrast, which "
        "keep a small corpus from being memorised (paper: none)"
    )
    embedding_mix: float = Field(
        ge=0,
        le=1,
        description="share of conditions that lie at a random point between two captions drawn for "
        "the same picture, which now and then are one and the same (paper: 0)",
    )

    steps: int = Field(ge=1, description="updates (paper: 600 epochs, 220,800 on CUB)")
    batch_size: int = Field(ge=2, description="pictures per update (paper: 24)")
    lr_g: float = Field(gt=0, description="Adam's rate for the generator (paper: 2e-4)")
    lr_d: float = Field(
        gt=0, description="Adam's rate for discriminators and relation supervisor (paper: 2e-4)"
    )
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        min_length=2, max_length=2, description="Adam's two decay rates (paper: 0.5 and 0.999)"
    )
    ema_decay: float = Field(
        ge=0, lt=1, description="decay per step of the averaged generator (paper's code: 0.999)"
    )

    log_every: int = Field(ge=1, description="steps per row of the curves")
    checkpoint_every: int = Field(ge=1, description="steps between two checkpoints to resume from")
    when_not_finite: Literal["retry", "stop"] = Field(
        description="on a loss or weight that is not finite: retry = once more from the last "
        "checkpoint, stop = stop"
    )
    grid_rows: int = Field(
        ge=1, description="rows of the training grid, evenly spaced over the steps"
    )
    grid_columns: int = Field(ge=1, description="captions of the training grid")


class SampleConfig(Section):
    """Pictures drawn by the trained generator for the test utterances."""

    seed: int = Field(ge=0, description="seed of the noise and of the drawn controls")
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of the convolutions, float32 or bfloat16"
    )
    batch_size: int = Field(
        ge=1, description="pictures per forward pass; changes no picture, but for rounding"
    )
    split: Literal["test", "val"] = Field(
        description="whose captions are drawn: test, or val while settings are being chosen"
    )
    captions_per_picture: int = Field(
        ge=1, description="captions drawn of each picture, the first ones (paper: all 10)"
    )
    noise: Literal["per_utterance", "per_picture"] = Field(
        description="per_picture = the ten captions of a picture share one noise vector, as in "
        "the authors' code"
    )
    ca_noise: bool = Field(
        description="whether F_ca is sampled; false = its mean (authors' code: true)"
    )
    truncation: float | None = Field(
        ge=0.05,  # drawing again until all of it lies below takes ever longer
        description="noise values beyond this many standard deviations are drawn again; null = "
        "never (paper: null)",
    )
    draws: int = Field(ge=2, description="draws of each sentence of the diversity figures")
    diversity_sentences: int = Field(ge=1, description="test sentences drawn several times")
    mismatched: int = Field(
        ge=2,
        description="most test utterances that are also drawn from another class's speech, as a "
        "control",
    )
