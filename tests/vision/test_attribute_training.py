import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, VALUES
from s2igan.corpora.minibirds.painter import draw
from s2igan.engine.pictures import Picture
from s2igan.engine.seeding import numpy_generator
from s2igan.vision import drawings
from s2igan.vision import train_attribute_reader as training
from s2igan.vision.attribute_networks import LOGITS, CompactNetwork, fold_normalisation
from s2igan.vision.augmentation import degrade, random_crops, through_resolution
from s2igan.vision.backbones import AttributeBackbone, load_backbone
from s2igan.vision.crops import CENTRE, square_view
from s2igan.vision.drawings import Labels, cached_drawings, draw_all, draw_labelled, random_labels
from s2igan.vision.interface import as_images


@pytest.fixture(scope="module")
def species(repository: Path) -> Labels:
    return training.test_species_labels(repository / "data" / "minibirds.yaml")


@pytest.fixture(scope="module")
def fresh(species: Labels) -> tuple[training.Drawings, Labels]:
    labels = species.repeat(6, axis=0)
    return np.stack(list(draw_all(labels, seed=99, workers=1))), labels


@pytest.mark.parametrize("side", [64, 32])
@pytest.mark.parametrize("name", ["reader", "compact"])
def test_attributes_of_test_species_are_read(
    name: str, side: int, fresh: tuple[training.Drawings, Labels], tmp_path: Path
) -> None:
    backbone = load_backbone(name, tmp_path)
    assert isinstance(backbone, AttributeBackbone)
    figures = training.accuracy(backbone.network, *fresh, side)
    unread = {part: figures[part] for part in COLOUR_PARTS if figures[part] < 0.95}
    assert unread == {}
    assert min(figures.values()) >= 0.9, figures


def test_a_drawing_is_what_the_features_stage_packs() -> None:
    labels = random_labels(1, seed=4)[0]
    attributes = {
        name: VALUES[name][value] for name, value in zip(ATTRIBUTES, labels.tolist(), strict=True)
    }
    file = io.BytesIO()
    picture = draw(attributes, numpy_generator(4, 0))
    Image.fromarray(picture).save(file, "JPEG", quality=95, subsampling=0)
    expected = square_view(np.asarray(Image.open(file)), CENTRE, share=1.0, size=76)
    assert np.array_equal(draw_labelled(labels, numpy_generator(4, 0)), expected)


def test_drawings_are_kept_until_labels_or_painter_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached_drawings(tmp_path, "birds", random_labels(2, 0), seed=0, workers=1)
    long_ago = (0, 0)  # some file systems count in seconds
    os.utime(tmp_path / "birds.npy", long_ago)
    again = cached_drawings(tmp_path, "birds", random_labels(2, 0), seed=0, workers=1)
    assert (tmp_path / "birds.npy").stat().st_mtime == 0
    assert np.array_equal(first, again)
    assert len(cached_drawings(tmp_path, "birds", random_labels(3, 1), seed=0, workers=1)) == 3
    os.utime(tmp_path / "birds.npy", long_ago)
    (tmp_path / "painter.py").write_text("draws everything another way")
    monkeypatch.setattr(drawings, "own_sources", lambda _: [tmp_path / "painter.py"])
    cached_drawings(tmp_path, "birds", random_labels(3, 1), seed=0, workers=1)
    assert (tmp_path / "birds.npy").stat().st_mtime != 0
    with monkeypatch.context() as patch:
        patch.setattr(drawings, "draw_all", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            cached_drawings(tmp_path, "birds", random_labels(2, 0), seed=0, workers=1)
    assert len(cached_drawings(tmp_path, "birds", random_labels(3, 1), seed=0, workers=1)) == 3


def _interrupted(*_: object) -> Iterator[Picture]:
    raise KeyboardInterrupt
    yield


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--manifest={folder}/nope.yaml"], "nope.yaml"),
        (["--epochs=0"], "--epochs; got 0; expected at least 1"),
        (["--workers=0"], "--workers; got 0; expected at least 1"),
        (["--out={folder}/nowhere/compact.safetensors"], "--out; got no folder"),
    ],
)
def test_bad_options_are_told_before_anything_is_drawn(
    options: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delattr(training, "cached_drawings")
    options = [option.format(folder=tmp_path) for option in options]
    assert training.main(["compact", f"--out={tmp_path / 'c.safetensors'}", *options]) == 2
    line = capsys.readouterr().err
    assert line.startswith("train_attribute_reader: ")
    assert told in line
    assert line.count("\n") == 1


def test_compact_never_sees_a_combination_of_a_test_species(species: Labels) -> None:
    assert len(species) == 20
    assert not training.RECIPES["compact"].sees_test_species
    others = (species + 1) % 2
    mixed = np.concatenate([species[:3], others[:2], species[7:8]])
    expected = [row.tolist() in species.tolist() for row in mixed]
    assert training.is_among(mixed, species).tolist() == expected
    assert expected[:3] == [True, True, True]
    assert expected[5]


def test_random_labels_use_every_value_alike() -> None:
    labels = random_labels(4000, seed=0)
    for column, attribute in enumerate(ATTRIBUTES):
        shares = np.bincount(labels[:, column]) / len(labels)
        np.testing.assert_allclose(shares, 1 / len(VALUES[attribute]), atol=0.03)


def test_degraded_pictures_are_pictures_and_the_generator_decides() -> None:
    images = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    first, second = (degrade(images, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(images, kept)
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1
    assert (first - images).abs().amax(dim=(1, 2, 3)).min() > 0


def test_resolution_is_lost_and_flat_pictures_stay_flat() -> None:
    flat = torch.full((1, 3, 64, 64), 0.3)
    torch.testing.assert_close(through_resolution(flat, 20), flat)
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    assert through_resolution(stripes, 16).std() < 0.1 * stripes.std()


def test_crops_are_windows_or_their_mirrors() -> None:
    drawings = np.random.default_rng(0).integers(0, 256, (2, 10, 10, 3), dtype=np.uint8)
    windows = {
        (row, drawings[row, top : top + 8, left : left + 8][:, ::step].tobytes())
        for row in range(2)
        for top in range(3)
        for left in range(3)
        for step in (1, -1)
    }
    rows = np.arange(600) % 2
    crops = random_crops(drawings, rows, 8, np.random.default_rng(1))
    pictures = (crops * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert {
        (row, one.tobytes()) for row, one in zip(rows.tolist(), pictures, strict=True)
    } == windows


def test_loss_of_a_uniform_reading_is_the_mean_entropy() -> None:
    labels = torch.from_numpy(random_labels(5, seed=1))
    expected = np.mean([np.log(len(values)) for values in VALUES.values()])
    loss = training.attribute_loss(torch.zeros(5, LOGITS), labels)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def trained(epochs: int, labels: Labels, drawings: training.Drawings) -> training.Network:
    network = training.initialised(CompactNetwork, seed=3)
    training.fit(network, drawings, labels, epochs=epochs, seed=3)
    fold_normalisation(network)
    return network


def test_training_learns_and_repeats() -> None:
    labels = random_labels(64, seed=2)
    drawings = np.stack(list(draw_all(labels, seed=2, workers=1)))
    first, second = (trained(2, labels, drawings).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    network = trained(20, labels, drawings)
    with torch.no_grad():
        _, logits = network(as_images(drawings[:, 6:70, 6:70]) * 2 - 1)
    untrained = np.mean([np.log(len(values)) for values in VALUES.values()])
    learned = training.attribute_loss(logits, torch.from_numpy(labels)).item()
    assert learned < 0.9 * untrained
