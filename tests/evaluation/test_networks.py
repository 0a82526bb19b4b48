"""torch-fidelity's own extractor, on random weights in the library's format."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision.models import Inception3

from s2igan.engine.pictures import Picture
from s2igan.errors import UserError
from s2igan.evaluation.fidelity import measure
from s2igan.evaluation.judge import Judge, Rows, Seen
from s2igan.evaluation.networks import LibraryInception, load_judge
from s2igan.vision.interface import CLASSES, Backbone
from s2igan.vision.weight_files import WEIGHT_FILES
from tests.evaluation.world import png_folder, settings

FILE = WEIGHT_FILES["torch_fidelity"][0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library's network, of random weights that tell pictures apart."""
    network = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            spread = (2 / module.weight[0].numel()) ** 0.5
            module.weight.data = torch.randn(module.weight.shape, generator=rng) * spread
    network.fc.weight.data = torch.randn(1008, 2048, generator=rng)
    folder = tmp_path_factory.mktemp("library")
    torch.save(network.state_dict(), folder / FILE)
    return folder


@pytest.fixture(scope="module")
def network(weights: Path) -> Backbone:
    return load_judge("torch_fidelity/768", weights)


@pytest.fixture(scope="module")
def pictures() -> tuple[Picture, Picture]:
    """Two sets of five pictures of 40 px, the second one paler and smoother."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    coarse = rng.integers(100, 256, (5, 5, 5, 3), dtype=np.uint8)
    return first, coarse.repeat(8, axis=1).repeat(8, axis=2)


def see(network: Backbone, pictures: Picture) -> Seen:
    def source(rows: Rows) -> Picture:
        return np.asarray(pictures[rows], np.uint8)

    judge = Judge(network, torch.device("cpu"), "bfloat16", batch_size=3)
    return judge.see(source, np.arange(len(pictures)), "pictures")


@pytest.mark.usefixtures("emulated_bfloat16")
def test_features_and_logits_are_the_librarys_own(
    network: Backbone, weights: Path, pictures: tuple[Picture, Picture]
) -> None:
    extractor = FeatureExtractorInceptionV3(
        "inception-v3-compat",
        ["768", "logits_unbiased"],
        feature_extractor_weights_path=str(weights / FILE),
    )
    features, logits = extractor(torch.from_numpy(pictures[1][:2]).permute(0, 3, 1, 2))
    seen = see(network, pictures[1][:2])  # float32, whatever the precision around it
    assert seen.logits is not None
    np.testing.assert_allclose(seen.features, features.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(seen.logits[CLASSES], logits.numpy(), rtol=1e-3, atol=1e-2)
    exact = torch.from_numpy(pictures[1][:2]).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(network(exact + 0.4 / 255), network(exact - 0.4 / 255))


def test_figures_are_those_the_library_takes_from_png_files(
    network: Backbone, weights: Path, pictures: tuple[Picture, Picture], tmp_path: Path
) -> None:
    config = settings(is_splits=2, kid_subset_size=5, kid_subsets=2, neighbourhood=2)
    ours = measure(see(network, pictures[0]), see(network, pictures[1]), config)
    theirs: dict[str, Any] = torch_fidelity.calculate_metrics(
        input1=png_folder(tmp_path / "first", pictures[0]),
        input2=png_folder(tmp_path / "second", pictures[1]),
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights / FILE),
        feature_layer_isc="logits_unbiased",
        feature_layer_fid="768",
        feature_layer_kid="768",
        feature_layer_prc="768",
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        isc_splits=2,
        kid_subsets=2,
        kid_subset_size=5,
        prc_neighborhood=2,
        rng_seed=config.seed,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        batch_size=5,
        verbose=False,
    )
    assert ours["IS"] - 1 == pytest.approx(theirs["inception_score_mean"] - 1, rel=1e-2)
    assert ours["FID"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours["KID"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours["precision"] == theirs["precision"]
    assert ours["recall"] == theirs["recall"]
    assert ours["IS"] > 1.001
    assert ours["FID"] > 1


def test_the_default_layer_is_the_last_pool(weights: Path) -> None:
    network = load_judge("torch_fidelity", weights)
    assert isinstance(network, LibraryInception)
    assert network.dimension == 2048
    assert network(torch.rand(1, 3, 32, 32)).features.shape == (1, 2048)
    assert network.description.startswith("torch_fidelity/2048, 2048 features; torch-fidelity's")
    assert "TensorFlow 1 bilinear resizing" in network.description
    assert network.description.endswith(f"weights {FILE}")


def test_backbones_judge_too(tmp_path: Path) -> None:
    assert load_judge("reader", tmp_path).name == "reader"


class Runs:
    """An object whose unpickling calls a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.cwd, ())


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (None, "no file"),
        (Runs(), "a broken file"),
        ({"fc.weight": torch.zeros(2)}, "other layers"),
    ],
)
def test_a_file_that_is_not_the_librarys_is_refused(
    held: object, told: str, tmp_path: Path
) -> None:
    if held is not None:
        torch.save(held, tmp_path / FILE)
    with pytest.raises(UserError, match=f"got {told}"):
        load_judge("torch_fidelity/768", tmp_path)
