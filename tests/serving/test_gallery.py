import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from s2igan.engine.arrays import write_array
from s2igan.engine.tables import write_table
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.sen.artifact import IMAGE_WEIGHTS
from s2igan.sen.origin import write_origin
from s2igan.serving.gallery import FILE, Gallery, find_gallery, write_gallery
from s2igan.vision.pixels import PixelWriter
from tests.serving.makers import write_model

COUNT = 30


def picture(index: int, height: int = 12, width: int = 12) -> np.ndarray:
    return np.full((height, width, 3), 8 * index, np.uint8)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Outputs of the stages: pictures whose embeddings are the points of a half circle.

    Behind them lies one of the reference, which nothing describes.
    """
    rdg = write_model(tmp_path / "artifacts" / "rdg")
    folder = rdg.parent
    shutil.copytree(rdg, folder / "sen")
    angles = np.linspace(0, np.pi, COUNT)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    (folder / "embeddings").mkdir()
    points = np.concatenate([points, [[0, 1]]]).astype(np.float32)
    write_array(folder / "embeddings" / "image.npy", np.stack([points, -points], axis=1))
    (folder / "corpus").mkdir()
    splits = [*["train"] * 10, *["val"] * 10, *["test"] * 10, "reference"]
    write_table(folder / "corpus" / "index.parquet", pa.table({"split": splits}))
    (folder / "features").mkdir()
    with PixelWriter(folder / "features") as pixels:
        for index in range(COUNT + 1):
            pixels.append(picture(index, width=12 + index % 2))
    return folder


def found(folder: Path) -> Gallery:
    gallery = find_gallery(folder, 2)
    assert isinstance(gallery, Gallery)
    return gallery


def test_the_nearest_pictures_come_first(artifacts: Path) -> None:
    pictures, cosines = found(artifacts / "rdg").nearest(np.array([0.0, 3.0], np.float32), 4)
    assert pictures.shape == (4, 12, 12, 3)
    assert sorted(pictures[:, 0, 0, 0] // 8) == [13, 14, 15, 16]
    assert (np.diff(cosines) <= 0).all()
    assert cosines[0] == pytest.approx(np.cos(np.pi / 58), abs=1e-6)


def test_a_link_to_a_pipelines_model_finds_the_pictures_of_the_pipeline(
    artifacts: Path, tmp_path: Path
) -> None:
    (artifacts.parent / "params.yaml").touch()
    (tmp_path / "best").symlink_to(artifacts / "rdg")
    assert len(found(tmp_path / "best").embeddings) == COUNT


def test_an_exported_gallery_finds_the_same_and_is_written_alike(
    artifacts: Path, tmp_path: Path
) -> None:
    sources = {"a": artifacts / "rdg", "b": artifacts / "rdg", "of a": tmp_path / "a"}
    for name, source in sources.items():
        (tmp_path / name).mkdir()
        write_gallery(tmp_path / name, source, dimension=2, side=8, count=COUNT)
    first, *others = (tmp_path / name / FILE for name in sources)
    assert all(other.read_bytes() == first.read_bytes() for other in others)
    utterance = np.array([0.8, 0.6], np.float32)
    pictures, _ = found(first.parent).nearest(utterance, 3)
    whole, _ = found(artifacts / "rdg").nearest(utterance, 3)
    assert pictures.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(pictures[:, 0, 0], whole[:, 0, 0])


def test_a_few_pictures_are_taken_from_all_over_the_corpus(artifacts: Path, tmp_path: Path) -> None:
    write_gallery(tmp_path, artifacts / "rdg", dimension=2, side=8, count=3)
    shades = [found(tmp_path).pictures[index][0, 0, 0] // 8 for index in range(3)]
    assert [shade // 10 for shade in shades] == [0, 1, 2]


def test_an_encoder_of_the_generator_itself_has_no_pictures(
    artifacts: Path, tmp_path: Path
) -> None:
    shutil.rmtree(artifacts / "rdg")
    write_model(artifacts / "rdg", seed=1)
    assert "encoder of its own" in str(find_gallery(artifacts / "rdg", 2))
    write_gallery(tmp_path, artifacts / "rdg", dimension=2, side=8, count=3)
    assert not (tmp_path / FILE).exists()


def test_a_lone_model_has_no_pictures(tmp_path: Path) -> None:
    assert (
        find_gallery(write_model(tmp_path / "lone"), 2) == "This model came without real pictures."
    )


@pytest.mark.parametrize("name", ["embeddings/image.npy", "features/shapes.npy"])
def test_outputs_of_another_corpus_are_told(artifacts: Path, name: str) -> None:
    write_array(artifacts / name, np.load(artifacts / name)[:-1])
    with pytest.raises(UserError, match=r"\d+ embedded and \d+ packed, not 31 as in the corpus"):
        find_gallery(artifacts / "rdg", 2)


def test_pictures_that_another_sen_has_placed_are_told(artifacts: Path) -> None:
    weights = artifacts / "sen" / IMAGE_WEIGHTS
    write_weights(weights, {"weight": torch.zeros(1)})
    write_origin(artifacts / "embeddings", artifacts / "sen")
    assert len(found(artifacts / "rdg").embeddings) == COUNT
    write_weights(weights, {"weight": torch.ones(1)})
    with pytest.raises(UserError, match=rf"other weights than those of '{weights}'.*repro embed`$"):
        find_gallery(artifacts / "rdg", 2)


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (lambda t: {name: t[name] for name in ("pictures", "embeddings")}, "'ends'"),
        (lambda t: {**t, "pictures": t["pictures"][1:]}, "cannot identify image file"),
        (lambda t: {**t, "ends": t["ends"][:-1]}, "8 pictures and 9 embeddings"),
    ],
)
def test_exported_pictures_of_another_form_are_told(
    artifacts: Path,
    tmp_path: Path,
    damage: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    got: str,
) -> None:
    write_gallery(tmp_path, artifacts / "rdg", dimension=2, side=8, count=9)
    write_weights(tmp_path / FILE, damage(load_file(tmp_path / FILE)))
    with pytest.raises(UserError, match=f"got {got}"):
        find_gallery(tmp_path, 2)


def test_pictures_of_another_model_are_told(artifacts: Path, tmp_path: Path) -> None:
    write_gallery(tmp_path, artifacts / "rdg", dimension=2, side=8, count=9)
    for folder in (tmp_path, artifacts / "rdg"):
        with pytest.raises(UserError, match=r"got embeddings of 2 numbers, not of 3 as the model"):
            find_gallery(folder, 3)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"real pictures .*gallery\.safetensors"):
        find_gallery(tmp_path, 2)
