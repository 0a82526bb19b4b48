"""SEN's image encoder behind the backbones that its features come from."""

from pathlib import Path

import pytest
import torch

from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.sen.artifact import read_description, save_sen
from s2igan.sen.image_encoder import ImageEncoder
from s2igan.sen.images import load_image_embedding
from s2igan.sen.speech_encoder import SpeechEncoder

CPU = torch.device("cpu")
WIDTH = 192  # of the backbone compact


def write_folders(folder: Path, *, names: list[str], width: int = WIDTH) -> None:
    """Write ``features`` of the backbone compact, and a ``sen`` that learnt from others."""
    for name in ("features", "sen"):
        (folder / name).mkdir()
    write_json(folder / "features" / "backbone.json", {"names": ["compact"]})
    statistics = {"mean": torch.zeros(WIDTH), "std": torch.ones(WIDTH)}
    write_weights(folder / "features" / "backbone.safetensors", statistics)
    speech = SpeechEncoder(
        bands=4,
        channels=[4],
        kernel=2,
        stride=1,
        activation="none",
        gru_hidden=3,
        gru_layers=1,
        attention_hidden=2,
        embedding_dim=6,
    )
    save_sen(
        folder / "sen",
        speech,
        ImageEncoder(width, 6),
        encoder="sed",
        objective="joint",
        seed=1,
        mel={},
        backbones=names,
        training={},
    )


def embeddings(folder: Path) -> torch.Tensor:
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return load_image_embedding(folder / "features", folder, folder / "sen", CPU)(pictures)


def test_pictures_are_embedded_at_unit_length_by_any_version_of_sen(tmp_path: Path) -> None:
    write_folders(tmp_path, names=["compact"])
    named = embeddings(tmp_path)
    torch.testing.assert_close(named.norm(dim=1), torch.ones(2))
    description = read_description(tmp_path / "sen")
    assert description.pop("backbones") == ["compact"]
    write_json(tmp_path / "sen" / "sen.json", description)
    assert torch.equal(embeddings(tmp_path), named)


@pytest.mark.parametrize(("names", "width"), [(["another"], WIDTH), (["compact"], 100)])
def test_an_encoder_that_learnt_from_other_backbones_is_refused(
    names: list[str], width: int, tmp_path: Path
) -> None:
    write_folders(tmp_path, names=names, width=width)
    said = (
        rf"got 192 of \['compact'\], not {width} of \['{names[0]}'\] as SEN learnt from; .*repro`"
    )
    with pytest.raises(UserError, match=said):
        embeddings(tmp_path)
