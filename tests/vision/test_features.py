import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import ExifTags, Image

from s2igan.corpora.index import write_corpus
from s2igan.errors import UserError
from s2igan.vision.backbones import load_backbone
from s2igan.vision.config import VisionConfig
from s2igan.vision.crops import CENTRE, draw_views, square_view
from s2igan.vision.features import standardise, write_vision
from s2igan.vision.inception import Inception
from s2igan.vision.interface import BackboneOutput
from s2igan.vision.joined import load_joined
from s2igan.vision.pixels import PackedPixels
from tests.vision.conftest import PARTIAL

SPLITS = ["train", "test", "train", "val", "train"]
SIZES = [(96, 128), (80, 80), (120, 90), (90, 100), (140, 110)]


def jpeg(index: int) -> bytes:
    rng = np.random.default_rng(index)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    file = io.BytesIO()
    height, width = SIZES[index]
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def make_corpus(folder: Path, files: list[bytes], splits: list[str], **info: Any) -> Path:
    images = pd.DataFrame(
        {
            "name": [f"picture_{index}.png" for index in range(len(files))],
            "class_id": np.arange(len(files), dtype=np.int32),
            "class_name": [f"class {index}" for index in range(len(files))],
            "split": splits,
            "box": [None, None, [20.0, 30.0, 40.0, 40.0], None, None][: len(files)],
        }
    )
    descriptions = pd.DataFrame({"image": [0], "position": [0], "text": ["a"], "role": ["caption"]})
    write_corpus(
        folder, images, files, descriptions, info={"kind": "test", "edition": "test", **info}
    )
    return folder


def settings(**changes: Any) -> VisionConfig:
    values: dict[str, Any] = {
        "backbones": ["compact", "squeezenet1_1/keras"],
        "views": 3,
        "shorter_side": 76,
        "crop": 64,
        "box_scale": 1.5,
        "batch": 2,
        "precision": "float32",
        "seed": 5,
    }
    return VisionConfig(**{**values, **changes})


def run(config: VisionConfig, corpus: Path, weights: Path, out: Path, workers: int = 1) -> Path:
    out.mkdir()
    device = torch.device("cpu")
    write_vision(config, corpus=corpus, weights=weights, out=out, device=device, workers=workers)
    return out


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vision") / "corpus"
    return make_corpus(folder, [jpeg(index) for index in range(5)], SPLITS)


@pytest.fixture(scope="module")
def written(corpus: Path, weights: Path) -> Path:
    return run(settings(), corpus, weights, corpus.with_name("features"))


def test_pixels_are_cut_and_resized(written: Path) -> None:
    pixels = PackedPixels(written)
    assert [min(pixels[index].shape[:2]) for index in range(5)] == [76] * 5
    assert pixels[0].shape == (76, 101, 3)
    assert pixels[2].shape == (76, 76, 3)  # the square around its box


@pytest.mark.parametrize(("upright", "shape"), [(True, (101, 76, 3)), (False, (76, 101, 3))])
def test_pictures_are_turned_where_the_corpus_says_so(
    upright: bool, shape: tuple[int, ...], weights: Path, tmp_path: Path
) -> None:
    file, note = io.BytesIO(), Image.Exif()
    note[ExifTags.Base.Orientation] = 6
    Image.open(io.BytesIO(jpeg(0))).save(file, "PNG", exif=note)
    corpus = make_corpus(tmp_path / "corpus", [file.getvalue()], ["train"], upright=upright)
    config = settings(backbones=["compact"], views=1)
    assert PackedPixels(run(config, corpus, weights, tmp_path / "out"))[0].shape == shape


def test_features_are_standardised_over_training_views(written: Path) -> None:
    features = np.load(written / "backbone.npy")
    assert features.shape == (5, 3, 192 + 512)
    assert features.dtype == np.float32
    train = features[[0, 2, 4]].reshape(-1, features.shape[2])
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-3)
    changing = train.std(axis=0) > 0
    assert changing.mean() > 0.5
    np.testing.assert_allclose(train.std(axis=0)[changing], 1, atol=1e-3)


def test_only_training_pictures_have_random_views(written: Path) -> None:
    features = np.load(written / "backbone.npy")
    for index in (1, 3):
        assert np.array_equal(features[index], features[index, :1].repeat(3, axis=0))
    for index in (0, 2, 4):
        assert np.abs(features[index, 0] - features[index, 1]).max() > 0.1


def test_a_row_is_what_the_joined_backbone_sees(written: Path, weights: Path) -> None:
    # One backbone at a time, so that each sees the view at its own resolution.
    features = np.load(written / "backbone.npy")
    described = json.loads((written / "backbone.json").read_text("utf-8"))
    assert described["names"] == ["compact", "squeezenet1_1/keras"]
    assert described["slices"] == {"compact": [0, 192], "squeezenet1_1/keras": [192, 704]}
    joined = load_joined(written, weights)
    assert joined.dimension == described["dimension"] == 704
    picture = np.asarray(Image.open(io.BytesIO(jpeg(4))))
    for view, row in zip([CENTRE, *draw_views(2, 5, 4)], features[4], strict=True):
        for name, (start, end) in described["slices"].items():
            size = load_backbone(name, weights).input_size
            square = square_view(picture, view, 64 / 76, size).copy()
            images = torch.from_numpy(square)[None].permute(0, 3, 1, 2) / 255
            with torch.no_grad():
                seen = joined(images)[0, start:end].numpy()
            np.testing.assert_allclose(seen, row[start:end], atol=2e-2)


def test_layers_of_one_network_are_joined_in_one_pass(
    partial_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "inception_v3/fid2015/Mixed_7a+Mixed_6e"
    passes: list[int] = []
    look = Inception.look

    def counting(self: Inception, images: torch.Tensor) -> BackboneOutput:
        passes.append(len(images))
        return look(self, images)

    monkeypatch.setattr(Inception, "look", counting)
    corpus = make_corpus(tmp_path / "corpus", [jpeg(0), jpeg(1)], ["train", "train"])
    config = settings(backbones=[name, "compact"], views=2, batch=3)
    written = run(config, corpus, partial_folder, tmp_path / "features")
    assert passes == [3, 1]
    features = np.load(written / "backbone.npy")
    assert features.shape == (2, 2, 1280 + 768 + 192)
    np.testing.assert_allclose(features.mean(axis=(0, 1)), 0, atol=1e-4)
    described = json.loads((written / "backbone.json").read_text("utf-8"))
    assert described["slices"] == {name: [0, 2048], "compact": [2048, 2240]}
    assert described["weights"] == {name: PARTIAL, "compact": None}
    assert described["layers_without_weights"][name] == ["Mixed_7b", "Mixed_7c", "fc"]
    square = square_view(np.asarray(Image.open(io.BytesIO(jpeg(1)))), CENTRE, 64 / 76, 299)
    images = torch.from_numpy(square.copy())[None].permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        seen = load_joined(written, partial_folder)(images)[0, :2048].numpy()
    np.testing.assert_allclose(seen, features[1, 0, :2048], atol=2e-2)


def test_joined_features_pass_gradients_to_pixels(written: Path, weights: Path) -> None:
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    load_joined(written, weights)(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["backbone.json", "backbone.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_an_absent_or_broken_description_of_the_backbones_is_told(
    name: str, content: bytes | None, written: Path, weights: Path, tmp_path: Path
) -> None:
    for copied in ("backbone.json", "backbone.safetensors"):
        shutil.copy(written / copied, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="dvc repro features"):
        load_joined(tmp_path, weights)


@pytest.mark.parametrize(("batch", "workers"), [(2, 2), (64, 1)])
def test_workers_change_no_byte_and_batches_only_roundings(
    batch: int, workers: int, corpus: Path, written: Path, weights: Path, tmp_path: Path
) -> None:
    other = run(settings(batch=batch), corpus, weights, tmp_path / "features", workers)
    names = sorted(path.name for path in written.iterdir())
    assert sorted(path.name for path in other.iterdir()) == names
    if batch == settings().batch:
        for name in names:
            assert (other / name).read_bytes() == (written / name).read_bytes(), name
    mine, theirs = np.load(other / "backbone.npy"), np.load(written / "backbone.npy")
    np.testing.assert_allclose(mine, theirs, atol=1e-2)


def test_standardise_in_blocks_matches_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2igan.vision.features._ROWS", 3)
    raw = np.random.default_rng(0).normal(5, 3, (10, 2, 4)).astype(np.float32)
    raw[:, :, 3] = 7  # never changes
    train = np.arange(10) % 3 != 0
    np.save(tmp_path / "raw.npy", raw)
    mean, std = standardise(tmp_path / "raw.npy", train)
    flat = raw[train].reshape(-1, 4)
    np.testing.assert_allclose(mean, flat.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, [*flat.std(axis=0)[:3], 1], rtol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "raw.npy"), (raw - mean) / std, atol=1e-5)


def test_a_broken_picture_is_named(weights: Path, tmp_path: Path) -> None:
    files = [jpeg(0), jpeg(1)[:300]]
    broken = make_corpus(tmp_path / "corpus", files, ["train", "train"])
    with pytest.raises(UserError, match=r"picture_1\.png"):
        run(settings(), broken, weights, tmp_path / "features")


@pytest.mark.parametrize(
    "changes", [{"backbones": ["reader"]}, {"backbones": []}, {"views": 0}, {"crop": 64.0}]
)
def test_bad_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        settings(**changes)
