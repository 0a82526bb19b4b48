"""Settings of pixels and backbone features: the picture half of section `features`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from s2igan.engine.section import Section
from s2igan.vision.names import check_backbone


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("every backbone once")
    return names


class VisionConfig(Section):
    """How pictures are cropped, packed and looked at by pretrained networks."""

    backbones: Annotated[
        list[Annotated[str, AfterValidator(check_backbone)]], AfterValidator(_each_once)
    ] = Field(
        min_length=1,
        description="pretrained networks, each with its origin and layers, whose standardised "
        "features are joined in this order: compact, squeezenet1_1/keras, "
        "inception_v3/torchvision, inception_v3/fid2015/Mixed_6e+Mixed_7a … "
        "(paper inception_v3/torchvision)",
    )
    views: int = Field(
        ge=1,
        description="views per training picture: the centre crop, then random crops with flips",
    )
    shorter_side: int = Field(
        ge=8, description="shorter side of the packed pictures, pixels (paper 304)"
    )
    crop: int = Field(
        ge=8,
        description="side of the square crop of a packed picture, pixels (paper 256); "
        "crop / shorter_side is the share that a backbone's view takes, too",
    )
    box_scale: float = Field(
        gt=0,
        description="side of the square cut around a bounding box, in longer box sides (paper 1.5)",
    )
    batch: int = Field(ge=1, description="pictures per forward pass of a backbone")
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of the backbones' forward passes, float32 or bfloat16"
    )
    seed: int = Field(ge=0, description="draws the random crops and flips of the views")
