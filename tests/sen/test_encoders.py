"""The encoders of the paper: what they see of an utterance, their lengths and sizes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from s2igan.sen.image_encoder import ImageEncoder
from s2igan.sen.speech_encoder import SpeechEncoder

LENGTHS = torch.tensor([90, 31, 57, 16, 40])


def encoder(**changes: Any) -> SpeechEncoder:
    sizes: dict[str, Any] = {
        "bands": 8,
        "channels": [12, 16],
        "kernel": 6,
        "stride": 2,
        "activation": "none",
        "gru_hidden": 10,
        "gru_layers": 2,
        "attention_hidden": 6,
        "embedding_dim": 20,
    }
    torch.manual_seed(1)
    return SpeechEncoder(**{**sizes, **changes})


@pytest.fixture
def frames() -> Tensor:
    """(5, 90, 8), zero past the end."""
    x = torch.randn(5, 90, 8, generator=torch.Generator().manual_seed(0))
    return x * (torch.arange(90) < LENGTHS[:, None])[..., None]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_end_of_an_utterance_counts(frames: Tensor) -> None:
    model = encoder().eval()
    changed = frames.clone()
    changed[0, 87] += 3.0  # the last frame that a whole stride of both convolutions reaches
    before, after = model(frames, LENGTHS), model(changed, LENGTHS)
    assert (before[0] - after[0]).abs().max() > 1e-4
    torch.testing.assert_close(before[1:], after[1:])


@pytest.mark.parametrize("embedding_dim", [20, 7])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_embeddings_have_unit_length(frames: Tensor, embedding_dim: int, activation: str) -> None:
    model = encoder(embedding_dim=embedding_dim, activation=activation)
    out = model(frames, LENGTHS)
    assert out.shape == (5, embedding_dim)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(5))


def test_parameter_counts_are_those_of_the_paper() -> None:
    model = encoder(
        bands=40, channels=[64, 128], gru_hidden=512, attention_hidden=128, embedding_dim=1024
    )
    assert count(model.convolutions) + count(model.norms) == 65_088  # 0.07 M
    assert count(model.gru) == 6_696_960  # 6.70 M
    assert count(model.attention) == 263_296  # 0.26 M
    assert count(model) == 7_025_344  # 7.03 M, no projection
    assert model.shortest == 16
    assert count(ImageEncoder(2048, 1024)) == 2_098_176  # 2.10 M


def test_image_encoder_projects_every_view_to_unit_length() -> None:
    model = ImageEncoder(6, 3)
    features = torch.randn(4, 2, 6, generator=torch.Generator().manual_seed(0))
    out = model(features)
    projected = features @ model.project.weight.T + model.project.bias
    torch.testing.assert_close(out, projected / projected.norm(dim=-1, keepdim=True))
