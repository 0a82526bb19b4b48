"""Pictures as embeddings: SEN's image encoder behind the backbones that its features come from."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from s2igan.errors import unreadable_output
from s2igan.sen.artifact import load_image_encoder
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
    check_width(encoder, backbone.dimension)

    def embed_image(images: Tensor) -> Tensor:
        return encoder(backbone(images))

    return embed_image


def check_width(encoder: PictureEncoder, width: int) -> None:
    """Refuse backbone features of another width than an image encoder learnt from.

    Raises:
        UserError: if they are.
    """
    expected = encoder.sizes["feature_dim"]
    if width != expected:
        raise unreadable_output(
            "backbone features", f"{width} of each picture, not {expected} as SEN learnt from"
        )
