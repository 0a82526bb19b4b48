"""Both editions of Inception-v3 against the networks that define them, on random weights."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision.models import Inception3

from s2igan.errors import UserError
from s2igan.vision.backbones import load_backbone
from s2igan.vision.inception import Inception
from s2igan.vision.interface import CLASSES, Backbone
from s2igan.vision.weight_files import WEIGHT_FILES
from tests.vision.conftest import randomise

TORCHVISION, FID = "inception_v3/torchvision", "inception_v3/fid2015"
FULL, PARTIAL = WEIGHT_FILES[FID]


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """(2, 3, 299, 299) uint8 whose borders are as busy as their middles."""
    return torch.randint(
        0, 256, (2, 3, 299, 299), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture(scope="module")
def torchvision_network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inception3, Path]:
    network = Inception3(transform_input=True, init_weights=False).eval()
    folder = tmp_path_factory.mktemp("torchvision")
    torch.save(randomise(network), folder / WEIGHT_FILES[TORCHVISION][0])
    return network, folder


@pytest.fixture(scope="module")
def all_layers(fid_folder: Path) -> Backbone:
    return load_backbone(f"{FID}/pool+Mixed_6e+Mixed_7a", fid_folder)


@torch.no_grad()
def test_torchvision_edition_is_torchvisions_network(
    torchvision_network: tuple[Inception3, Path], pixels: Tensor
) -> None:
    network, folder = torchvision_network
    seen: dict[str, Tensor] = {}
    for layer in ("Mixed_6e", "Mixed_7a", "Mixed_7c"):
        getattr(network, layer).register_forward_hook(
            lambda _, __, maps, layer=layer: seen.update({layer: maps.mean(dim=(2, 3))})
        )
    images = pixels / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    logits = network((images - mean) / std)  # as its own transform hands pictures over
    output = load_backbone(f"{TORCHVISION}/Mixed_6e+Mixed_7a+pool", folder)(images)
    assert output.logits is not None
    assert output.features.shape == (2, 768 + 1280 + 2048)
    expected = torch.cat([seen[layer] for layer in ("Mixed_6e", "Mixed_7a", "Mixed_7c")], dim=1)
    torch.testing.assert_close(output.features, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(output.logits[CLASSES], logits, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_fid_edition_is_torch_fidelitys_extractor(
    fid_folder: Path, all_layers: Backbone, pixels: Tensor
) -> None:
    extractor = FeatureExtractorInceptionV3(
        "inception-v3-compat",
        ["768", "2048", "logits_unbiased"],
        feature_extractor_weights_path=str(fid_folder / FULL),
    )
    middle, last, logits = extractor(pixels)
    output = all_layers(pixels / 255)
    assert output.logits is not None
    torch.testing.assert_close(output.features[:, 2048:2816], middle, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(output.features[:, :2048], last, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(output.logits[CLASSES], logits, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_layers_come_in_the_order_named_and_the_pass_ends_behind_the_deepest(
    fid_folder: Path, all_layers: Backbone, pixels: Tensor
) -> None:
    images = pixels / 255
    features = all_layers(images).features
    middle, late = features[:, 2048:2816], features[:, 2816:]
    for layers, expected, last in (
        ("Mixed_7a+Mixed_6e", torch.cat([late, middle], dim=1), "Mixed_7a"),
        ("Mixed_6e", middle, "Mixed_6e"),
    ):
        backbone = load_backbone(f"{FID}/{layers}", fid_folder)
        assert isinstance(backbone, Inception)
        output = backbone(images)
        assert output.logits is None
        assert output.features.shape[1] == backbone.dimension
        torch.testing.assert_close(output.features, expected)
        assert [name for name, _ in backbone.trunk.named_children()][-1] == last


def test_every_layer_named_is_looked_at_in_one_pass(all_layers: Backbone, pixels: Tensor) -> None:
    assert isinstance(all_layers, Inception)
    passes = []
    handle = all_layers.trunk[0].register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        all_layers(pixels[:1] / 255)
    handle.remove()
    assert len(passes) == 1


def test_gradients_reach_the_pixels_and_no_weight(partial_folder: Path, pixels: Tensor) -> None:
    backbone = load_backbone(f"{FID}/Mixed_6e+Mixed_7a", partial_folder).train()
    assert not any(module.training for module in backbone.modules())
    images = torch.nn.functional.interpolate(pixels[:1] / 255, (64, 64)).requires_grad_()
    backbone(images).features.square().sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad[:, :, 4:-4, 4:-4] != 0).float().mean() > 0.9
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_a_partial_file_serves_what_it_holds_and_tells_what_it_lacks(
    partial_folder: Path, all_layers: Backbone, pixels: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        backbone = load_backbone(f"{FID}/Mixed_7a", partial_folder)
    assert backbone.missing == ("Mixed_7b", "Mixed_7c", "fc")
    assert "comes without Mixed_7b, Mixed_7c, fc" in caplog.text
    assert f"weights {PARTIAL}" in backbone.description
    with torch.no_grad():
        features = all_layers(pixels / 255).features[:, 2816:]
        torch.testing.assert_close(backbone(pixels / 255).features, features)


def test_asking_a_partial_file_for_the_last_pool_names_the_missing_blocks(
    partial_folder: Path,
) -> None:
    with pytest.raises(UserError) as caught:
        load_backbone(FID, partial_folder)
    told = str(caught.value)
    assert f"weights '{PARTIAL}'; got no Mixed_7b, Mixed_7c; expected every layer" in told
    assert "\n" not in told


def test_the_whole_file_is_preferred(
    fid_tensors: dict[str, Tensor], partial_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / PARTIAL).symlink_to(partial_folder / PARTIAL)
    assert load_backbone(f"{FID}/Mixed_6e", tmp_path).file == PARTIAL
    torch.save(fid_tensors, tmp_path / FULL)
    whole = load_backbone(f"{FID}/Mixed_6e", tmp_path)
    assert whole.file == FULL
    assert whole.missing == ()


def test_without_a_classifier_there_are_no_logits(
    fid_tensors: dict[str, Tensor], pixels: Tensor, tmp_path: Path
) -> None:
    kept = {name: value for name, value in fid_tensors.items() if not name.startswith("fc.")}
    torch.save(kept, tmp_path / FULL)
    backbone = load_backbone(FID, tmp_path)
    assert backbone.missing == ("fc",)
    with torch.no_grad():
        assert backbone(pixels[:1] / 255).logits is None


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("Mixed_6b.branch7x7_2.bn.running_var", r"got no Mixed_6b\.branch7x7_2;"),
        ("Conv2d_4a_3x3.conv.weight", r"got no Conv2d_4a_3x3;"),
    ],
)
def test_a_lost_layer_is_named(
    lost: str, told: str, fid_tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    kept = {name: value for name, value in fid_tensors.items() if name != lost}
    save_file(kept, tmp_path / PARTIAL)
    with pytest.raises(UserError, match=told):
        load_backbone(f"{FID}/Mixed_6e", tmp_path)


def test_a_layer_without_a_place_or_of_another_shape_is_refused(
    fid_tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    strange = {"Mixed_8a.weight": torch.zeros(1), "fc.weight": torch.zeros(1000, 2048)}
    save_file({**fid_tensors, **strange}, tmp_path / PARTIAL)
    with pytest.raises(UserError, match=r"got (fc\.weight, Mixed_8a|Mixed_8a\.weight, fc)"):
        load_backbone(FID, tmp_path)
