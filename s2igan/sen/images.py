"""Pictures as embeddings: SEN's image encoder behind the backbones that its features come from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from s2igan.errors import unreadable_output
from s2igan.sen.artifact import load_image_encoder, read_description
from s2igan.sen.image_encoder import PictureEncoder
from s2igan.vision.joined import load_joined


def load_image_embedding(
    features: str | Path, weights: str | Path, sen: str | Path, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Load the SEN's image encoder behind its backbones, frozen.

    Args:
        features: ``artifacts/features``, which names the backbones.
        weights: ``artifacts/weights``.
        sen: ``artifacts/sen``.
        device: where to compute.

    Returns:
        A function from (N, 3, S, S) pictures in [0, 1] to (N, E) float32 of unit length,
        differentiable.

    Raises:
        UserError: if a file is missing or broken, or the encoder learnt from other backbones.
    """
    backbone = load_joined(Path(features), Path(weights)).to(device).eval().requires_grad_(False)
    encoder = load_image_encoder(sen).to(device).eval().requires_grad_(False)
    check_backbones(Path(sen), encoder, backbone.names, backbone.dimension)

    def embed_image(images: Tensor) -> Tensor:
        return encoder(backbone(images))

    return embed_image


def check_backbones(sen: Path, encoder: PictureEncoder, names: Sequence[str], width: int) -> None:
    """Refuse features of pictures by other backbones than an image encoder learnt from.

    Args:
        sen: ``artifacts/sen``; one of a version that did not name the backbones is taken.
        encoder: its image encoder.
        names: of the backbones, in the order in which their features are joined.
        width: numbers of each picture.

    Raises:
        UserError: if backbones or widths differ, or ``sen.json`` is missing or broken.
    """
    given = list(names), width
    learnt = read_description(sen).get("backbones", given[0]), encoder.sizes["feature_dim"]
    if given != learnt:
        raise unreadable_output(
            "backbone features",
            f"{width} of {given[0]}, not {learnt[1]} of {learnt[0]} as SEN learnt from",
        )
