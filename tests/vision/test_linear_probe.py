"""The probe of the real data's README: 20 flower classes, 12 pictures each, 0.917.

Its protocol, as far as it reproduces that figure: the first twelve pictures of classes 1 to 20, the
whole picture squeezed into the network's square, standardised features, ridge classification, each
picture judged by the eleven others of its class.
"""

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

from s2igan.vision.backbones import load_backbone
from s2igan.vision.crops import RESAMPLING

CLASSES, PER_CLASS, RIDGE = 20, 12, 300.0


def flowers(folder: Path) -> npt.NDArray[np.uint8]:
    """(20 * 12, 227, 227, 3) uint8, class by class."""
    labels = loadmat(folder / "imagelabels.mat")["labels"][0]
    wanted = [np.flatnonzero(labels == label)[:PER_CLASS] for label in range(1, CLASSES + 1)]
    names = [f"jpg/image_{row + 1:05d}.jpg" for row in np.concatenate(wanted)]
    found = {}
    for archive in sorted(folder.glob("images-*.tar")):
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name in names else None
                if file is not None:
                    picture = Image.open(io.BytesIO(file.read())).convert("RGB")
                    found[member.name] = np.asarray(picture.resize((227, 227), RESAMPLING))
    return np.stack([found[name] for name in names])


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


@pytest.mark.real_data
def test_squeezenet_features_of_flowers_are_as_good_as_known(real_data: Path) -> None:
    backbone = load_backbone("squeezenet1_1/keras", real_data / "weights")
    pictures = torch.from_numpy(flowers(real_data / "oxford102")).permute(0, 3, 1, 2)
    with torch.no_grad():
        seen = [backbone(part / 255).features for part in torch.split(pictures, 24)]
    labels = np.repeat(np.arange(CLASSES), PER_CLASS)
    accuracy = ridge_accuracy(torch.cat(seen).double().numpy(), labels)
    assert accuracy == pytest.approx(0.917, abs=0.02)
