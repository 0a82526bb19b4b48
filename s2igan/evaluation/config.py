"""The section ``evaluate`` of ``params.yaml`` (paper §2.4 and Fig. 3)."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from s2igan.engine.section import Section
from s2igan.errors import UserError
from s2igan.vision.names import check_classifier, check_judge

JudgeName = Annotated[str, AfterValidator(check_judge)]
ClassifierName = Annotated[str, AfterValidator(check_classifier)]


class EvaluateConfig(Section):
    """How generated pictures are judged."""

    backbone: JudgeName = Field(
        description="the judge: keywords, GAN mAP and diversity are taken in its features; "
        "`reader` for MiniBirds (paper inception_v3/torchvision)"
    )
    fidelity_backbone: JudgeName | None = Field(
        description="the network of IS, FID, KID, precision and recall: torch_fidelity/2048 as "
        "published figures have it, torch_fidelity/768 for few pictures, or any backbone; "
        "null = the judge"
    )
    is_backbone: ClassifierName | None = Field(
        description="the network of the inception score alone: fine_tuned, one that was fine-tuned "
        "on the test classes as the paper's was, or any that classifies; null = that of fidelity"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of the judge's convolutions, float32 or bfloat16"
    )
    batch_size: int = Field(ge=1, description="pictures per forward pass; changes no figure")
    seed: int = Field(
        ge=0,
        lt=2**32,  # as torch-fidelity takes them
        description="draws splits, KID subsets, queries, permutations, bootstrap samples",
    )

    attribute_of_is: Literal[
        "crown", "back", "belly", "wing", "tail", "wing_bars", "size", "bill"
    ] = Field(description="the attribute whose softmax the inception score is taken from")
    is_splits: int = Field(
        ge=1, description="parts the inception score is averaged over (paper 10)"
    )
    kid_subsets: int = Field(ge=1, description="random subsets that KID is averaged over")
    kid_subset_size: int = Field(
        ge=2, description="pictures per subset of KID; at most the smallest picture set"
    )
    crop: int = Field(
        ge=8,
        description="side of the centre crop of the packed pictures that a real picture shows, "
        "px, then resized to the generated size; the same as rdg.crop",
    )
    training_pictures: int | None = Field(
        ge=2,
        description="training pictures that are judged, drawn by seed; fewer save time with a "
        "slow network; null = all",
    )
    neighbourhood: int = Field(
        ge=1, description="k of the k-nearest-neighbour balls of precision and recall"
    )

    queries: Literal["drawn", "authors"] = Field(
        description="the real query pictures of the paper's mAP: drawn by seed, or those that the "
        "authors list (cub, oxford102)"
    )
    queries_per_class: int = Field(
        ge=1, description="real query pictures per test class in the paper's mAP (paper 2)"
    )
    mismatched_descriptions: int = Field(
        ge=1,
        description="descriptions of other classes among which R-precision looks for the true one "
        "(usual 99)",
    )
    chance_permutations: int = Field(
        ge=1, le=1000, description="permutations of the descriptions that chance is averaged over"
    )
    bootstrap_draws: int = Field(
        ge=100, le=100_000, description="resamples of the test classes behind each interval"
    )

    grid_sentences: int = Field(
        ge=1, description="sentences in plots/samples_grid.png, each of another test class"
    )
    grid_pictures: int = Field(ge=1, description="generated pictures shown under each sentence")
    swap_grid_pairs: int = Field(ge=1, description="pairs in plots/swap_grid.png")

    @property
    def networks(self) -> list[str]:
        """Every network that looks at pictures, by its name."""
        names = (self.backbone, self.fidelity_backbone, self.is_backbone)
        return [name for name in names if name is not None]


class PictureSet(NamedTuple):
    """Pictures that fidelity compares with others: how many, which, and what makes them more."""

    size: int
    which: str
    more: str


def picture_sets(
    config: EvaluateConfig, split: str, *, train: int, drawn: int, reference: int, floor: int
) -> list[PictureSet]:
    """List the sets of pictures that fidelity compares.

    Args:
        config: the section ``evaluate``.
        split: whose captions are drawn.
        train: training pictures of the corpus.
        drawn: pictures that are drawn of captions.
        reference: real pictures that all others are compared with.
        floor: fresh real pictures besides; where there are none, the halves of ``reference`` are
            compared with each other.
    """
    seen = PictureSet(train, "of the split train", "add training pictures")
    if config.training_pictures is not None and config.training_pictures < train:
        seen = PictureSet(
            config.training_pictures,
            "of evaluate.training_pictures",
            "raise evaluate.training_pictures",
        )
    if floor:
        real = PictureSet(
            min(reference, floor),
            "of the split reference or floor",
            "raise corpus.minibirds.reference_drawings",
        )
    else:
        key = "test_share" if split == "test" else "val_classes"
        more = f"add {split} pictures or, where the split is drawn, raise corpus.{key}"
        real = PictureSet(reference // 2, f"in half of the split {split}", more)
    more = f"raise sample.captions_per_picture or add {split} pictures"
    return [seen, PictureSet(drawn, "drawn of captions", more), real]


def fitted(config: EvaluateConfig, split: str, sets: Sequence[PictureSet]) -> EvaluateConfig:
    """Lower KID's subsets to the smallest set where val pictures are judged.

    The setting is made for the test pictures; the fewer val pictures allow what they allow.
    """
    if split == "test":
        return config
    size = min(config.kid_subset_size, *(one.size for one in sets))
    return config.model_copy(update={"kid_subset_size": size})


def check_counts(sets: Sequence[PictureSet], config: EvaluateConfig) -> None:
    """Refuse settings that need more pictures than the smallest set has.

    Raises:
        UserError: naming every such setting, and the set.
    """
    needs = {
        "kid_subset_size": config.kid_subset_size,
        "neighbourhood": config.neighbourhood + 1,
        "is_splits": 2 * config.is_splits,  # the score of one picture is always 1
    }
    size, which, more = min(sets)
    if wrong := [key for key, needed in needs.items() if needed > size]:
        # Every setting needs two pictures at least.
        lower = f"lower {'it' if len(wrong) == 1 else 'them'} or " if size > 1 else ""
        raise UserError(
            " and ".join(f"evaluate.{key}" for key in wrong),
            got=" and ".join(str(getattr(config, key)) for key in wrong),
            expected="no more than the smallest picture set allows "
            f"({size} picture{'s' * (size != 1)} {which})",
            fix=f"{lower}{more}",
        )
