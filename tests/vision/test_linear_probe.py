"""The probe of the real data's README: 20 flower classes, 12 pictures each.

Its protocol, as far as it reproduces those figures: the first twelve pictures of classes 1 to 20,
the whole picture squeezed into the network's square, standardised features, ridge classification,
each picture judged by the eleven others of its class.
"""

import io
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

from s2igan.vision.backbones import load_backbone
from s2igan.vision.crops import RESAMPLING
from s2igan.vision.interface import Backbone

CLASSES, PER_CLASS, RIDGE = 20, 12, 300.0
LABELS = np.repeat(np.arange(CLASSES), PER_CLASS)


def flowers(folder: Path) -> list[Image.Image]:
    """20 * 12 photographs, class by class."""
    labels = loadmat(folder / "imagelabels.mat")["labels"][0]
    wanted = [np.flatnonzero(labels == label)[:PER_CLASS] for label in range(1, CLASSES + 1)]
    names = [f"jpg/image_{row + 1:05d}.jpg" for row in np.concatenate(wanted)]
    found = {}
    for archive in sorted(folder.glob("images-*.tar")):
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name in names else None
                if file is not None:
                    found[member.name] = Image.open(io.BytesIO(file.read())).convert("RGB")
    return [found[name] for name in names]


@torch.inference_mode()
def look(backbone: Backbone, pictures: list[Image.Image]) -> npt.NDArray[np.float64]:
    """See whole pictures squeezed into the backbone's square, ``(n, D)``."""
    size = (backbone.input_size, backbone.input_size)
    seen = []
    for start in range(0, len(pictures), 24):
        part = [np.asarray(one.resize(size, RESAMPLING)) for one in pictures[start : start + 24]]
        images = torch.from_numpy(np.stack(part)).permute(0, 3, 1, 2) / 255
        seen.append(backbone(images).features)
    return torch.cat(seen).double().numpy()


def ridge_accuracy(features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Leave out the k-th picture of every class, for every k."""
    fold, right = np.arange(len(labels)) % PER_CLASS, 0
    for left_out in range(PER_CLASS):
        train, test = fold != left_out, fold == left_out
        scaled = (features - features[train].mean(0)) / (features[train].std(0) + 1e-6)
        targets = np.eye(CLASSES)[labels[train]] - 1 / CLASSES
        kernel = scaled[train] @ scaled[train].T + RIDGE * np.eye(train.sum())
        scores = scaled[test] @ scaled[train].T @ np.linalg.solve(kernel, targets)
        right += int((scores.argmax(axis=1) == labels[test]).sum())
    return right / len(labels)


@pytest.fixture(scope="module")
def photographs() -> Callable[[Path], list[Image.Image]]:
    """Read them once for all networks."""
    return cache(flowers)


@pytest.mark.real_data
def test_squeezenet_features_of_flowers_are_as_good_as_known(
    real_data: Path, photographs: Callable[[Path], list[Image.Image]]
) -> None:
    backbone = load_backbone("squeezenet1_1/keras", real_data / "weights")
    features = look(backbone, photographs(real_data / "oxford102"))
    assert ridge_accuracy(features, LABELS) == pytest.approx(0.917, abs=0.02)


@pytest.mark.long
@pytest.mark.real_data
def test_inception_features_of_flowers_are_as_good_as_known(
    real_data: Path, photographs: Callable[[Path], list[Image.Image]]
) -> None:
    backbone = load_backbone("inception_v3/fid2015/Mixed_6e+Mixed_7a", real_data / "weights")
    assert backbone.missing == ("Mixed_7b", "Mixed_7c", "fc")
    features = look(backbone, photographs(real_data / "oxford102"))
    assert features.shape == (len(LABELS), 768 + 1280)
    assert ridge_accuracy(features[:, :768], LABELS) == pytest.approx(0.954, abs=0.02)
    assert ridge_accuracy(features[:, 768:], LABELS) == pytest.approx(0.963, abs=0.02)
