import io
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import squeezenet1_1
from torchvision.transforms.functional import normalize

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.errors import UserError
from s2igan.vision.backbones import SHIPPED_WEIGHTS, AttributeBackbone, load_backbone
from s2igan.vision.interface import CLASSES
from s2igan.vision.weight_files import WEIGHT_FILES, load_weights

SQUEEZENET = WEIGHT_FILES["squeezenet1_1/keras"][0]
TORCHVISION = WEIGHT_FILES["squeezenet1_1/torchvision"][0]
SMALL = ("compact", "reader", "squeezenet1_1/keras", "squeezenet1_1/torchvision")


class Runs:
    """An object whose unpickling calls a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.cwd, ())


@pytest.mark.parametrize("name", SMALL)
def test_features_do_not_depend_on_the_batch(name: str, weights: Path) -> None:
    backbone = load_backbone(name, weights)
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        together = backbone(images).features
        alone = torch.cat([backbone(image[None]).features for image in images])
        permuted = backbone(images[order]).features
    assert together.shape == (4, backbone.dimension)
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(permuted, together[order], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_pictures_of_integers_are_not_taken_for_0_to_1(dtype: torch.dtype, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^pictures are {dtype}, expected floats in \[0, 1\]$"):
        load_backbone("compact", tmp_path)(torch.ones(1, 3, 64, 64, dtype=dtype))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_every_pixel_and_no_weight(name: str, weights: Path) -> None:
    backbone = load_backbone(name, weights).train()
    assert not any(module.training for module in backbone.modules())
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images.requires_grad_()
    backbone(images).features.square().sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad[:, :, 8:-8, 8:-8] != 0).float().mean() > 0.9
    assert all(parameter.grad is None for parameter in backbone.parameters())


@pytest.mark.parametrize("name", ["compact", "reader"])
def test_attribute_readers_give_logits_per_attribute(name: str, tmp_path: Path) -> None:
    output = load_backbone(name, tmp_path)(torch.rand(3, 3, 32, 32))
    assert output.logits is not None
    assert tuple(output.logits) == ATTRIBUTES
    for attribute, logits in output.logits.items():
        assert logits.shape == (3, len(VALUES[attribute]))


@pytest.mark.parametrize("name", ["compact", "reader"])
def test_attribute_readers_see_values_around_zero(name: str, tmp_path: Path) -> None:
    backbone = load_backbone(name, tmp_path)
    assert isinstance(backbone, AttributeBackbone)
    size = 3, backbone.input_size, backbone.input_size
    images = torch.rand(2, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, _ = backbone.network(images * 2 - 1)
        torch.testing.assert_close(backbone(images).features, expected)


@pytest.mark.parametrize("name", ["compact", "reader"])
def test_shipped_weights_are_small(name: str) -> None:
    assert (SHIPPED_WEIGHTS / f"{name}.safetensors").stat().st_size <= 3_000_000


def test_squeezenet_sees_bgr_minus_the_mean(weights: Path) -> None:
    network = squeezenet1_1(weights=None).eval()
    network.load_state_dict(load_file(weights / SQUEEZENET), strict=False)
    images = torch.rand(2, 3, 227, 227, generator=torch.Generator().manual_seed(1))
    red, green, blue = (images[:, channel] * 255 for channel in range(3))
    transformed = torch.stack([blue - 103.939, green - 116.779, red - 123.68], dim=1)
    with torch.no_grad():
        expected = network.features(transformed).flatten(2).mean(dim=2)
        output = load_backbone("squeezenet1_1/keras", weights)(images)
    assert output.logits is None
    torch.testing.assert_close(output.features, expected, rtol=1e-4, atol=1e-4)


def test_torchvisions_squeezenet_sees_standardised_rgb_and_has_logits(weights: Path) -> None:
    network = squeezenet1_1(weights=None).eval()
    network.load_state_dict(torch.load(weights / TORCHVISION, weights_only=True))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    transformed = normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        output = load_backbone("squeezenet1_1/torchvision", weights)(images)
        features = network.features(transformed).flatten(2).mean(dim=2)
        logits = network(transformed)
    assert output.logits is not None
    torch.testing.assert_close(output.features, features, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(output.logits[CLASSES], logits, rtol=1e-4, atol=1e-4)


def test_the_description_tells_weights_and_transform(weights: Path) -> None:
    told = load_backbone("reader", weights).description
    # One part of a protocol, as before its sizes were told: champions are compared part by part.
    assert told == "reader, 96 features, other sizes resized to 64 px, bilinear with antialiasing"
    told = load_backbone("squeezenet1_1/torchvision", weights).description
    assert told.startswith("squeezenet1_1/torchvision, 512 features; ")
    assert "resized to 224 px" in told
    assert told.endswith(f"weights {TORCHVISION}")


def test_other_sizes_are_resized_smoothly(weights: Path) -> None:
    backbone = load_backbone("compact", weights)
    images = F.interpolate(torch.rand(1, 3, 8, 8), (256, 256), mode="bicubic").clamp(0, 1)
    small = F.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(backbone(images).features, backbone(small).features)


def test_missing_layers_are_told(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        backbone = load_backbone("squeezenet1_1/keras", weights)
    assert backbone.missing == ("classifier.1.weight", "classifier.1.bias")
    assert "without classifier.1.weight, classifier.1.bias" in caplog.text


def test_torchvisions_squeezenet_may_lack_nothing(weights: Path, tmp_path: Path) -> None:
    tensors = torch.load(weights / TORCHVISION, weights_only=True)
    del tensors["classifier.1.bias"]
    torch.save(tensors, tmp_path / TORCHVISION)
    with pytest.raises(UserError, match=r"got no classifier\.1\.bias;"):
        load_backbone("squeezenet1_1/torchvision", tmp_path)


def test_an_unlisted_missing_layer_is_refused(weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights / SQUEEZENET)
    del tensors["features.3.squeeze.bias"]
    save_file(tensors, tmp_path / SQUEEZENET)
    with pytest.raises(UserError, match=r"got no features\.3\.squeeze\.bias;"):
        load_backbone("squeezenet1_1/keras", tmp_path)


@pytest.mark.parametrize("name", ["weight", "stranger"])
def test_a_strange_tensor_is_refused(name: str, tmp_path: Path) -> None:
    tensors = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
    save_file({**tensors, name: torch.zeros(3, 2)}, tmp_path / "linear.safetensors")
    with pytest.raises(UserError, match=f"got {name};"):
        load_weights(nn.Linear(2, 2), tmp_path / "linear.safetensors")


def test_broken_and_absent_files_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        load_backbone("squeezenet1_1/keras", tmp_path)
    (tmp_path / SQUEEZENET).write_bytes((weights / SQUEEZENET).read_bytes()[:1000])
    with pytest.raises(UserError, match="a broken file"):
        load_backbone("squeezenet1_1/keras", tmp_path)


def damaged() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, file, _use_new_zipfile_serialization=False)
    return file.getvalue().replace(b"weight", b"\xffeight")


@pytest.mark.parametrize("content", [b"", b"no archive", damaged(), None])
def test_a_pth_file_that_is_broken_or_runs_code_is_refused(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is None:
        torch.save(Runs(), tmp_path / TORCHVISION)
    else:
        (tmp_path / TORCHVISION).write_bytes(content)
    with pytest.raises(UserError, match=f"{TORCHVISION}'; got a broken file") as caught:
        load_backbone("squeezenet1_1/torchvision", tmp_path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_a_pth_file_of_other_objects_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / TORCHVISION)
    with pytest.raises(UserError, match="got other objects; expected named tensors"):
        load_backbone("squeezenet1_1/torchvision", tmp_path)


def test_an_unknown_backbone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^backbone; got 'vgg16'; expected one of compact, reader"):
        load_backbone("vgg16", tmp_path)


def test_the_librarys_extractor_is_kept_for_evaluation(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'torch_fidelity/768'; expected one of compact"):
        load_backbone("torch_fidelity/768", tmp_path)
