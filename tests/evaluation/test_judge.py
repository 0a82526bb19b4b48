import numpy as np
import pytest
import torch

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.engine.pictures import Picture
from s2igan.evaluation.judge import Judge, Rows, Seen, SeenRows
from s2igan.vision.interface import CLASSES
from tests.evaluation.world import SIZE, PlantedBackbone


def picture_of(row: int) -> Picture:
    """A picture whose centre differs with its row."""
    return np.full((SIZE, SIZE, 3), 3 * row, np.uint8)


class Album:
    """Ten pictures, and which of them were taken out."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def __call__(self, rows: Rows) -> Picture:
        self.taken += rows.tolist()
        return np.stack([picture_of(int(row)) for row in rows])


def judge(batch_size: int = 3) -> Judge:
    return Judge(PlantedBackbone(), torch.device("cpu"), batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_only_the_rows_asked_for_are_looked_at_each_once(batch_size: int) -> None:
    album = Album()
    rows = np.array([1, 4, 5, 9])
    seen = judge(batch_size).see(album, rows, "pictures")
    assert album.taken == rows.tolist()
    assert len(seen) == 4
    alone = judge().see(album, np.array([5]), "pictures")
    np.testing.assert_allclose(seen.features[2], alone.features[0], atol=1e-6)
    assert not np.allclose(seen.features[0], seen.features[1])


def test_pictures_reach_the_network_in_the_range_of_0_to_1() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    pictures[:, 0] = 0  # where values are planted
    seen = judge().see(lambda rows: pictures[rows], np.arange(2), "pictures")
    means = pictures[:, 1:, :, 1:].mean(axis=(1, 2)) / 255  # its last two features
    np.testing.assert_allclose(seen.features[:, -2:], means, atol=1e-6)


def test_pictures_are_found_by_their_rows_in_the_source() -> None:
    rows = np.array([2, 3, 7])
    held = SeenRows(judge().see(Album(), rows, "pictures"), rows)
    taken = held.take(np.array([7, 2, 7]))
    np.testing.assert_array_equal(taken.features, held.seen.features[[2, 0, 2]])
    assert taken.logits is not None
    assert held.seen.logits is not None
    np.testing.assert_array_equal(taken.logits["crown"], held.seen.logits["crown"][[2, 0, 2]])


@pytest.mark.parametrize("strange", [0, 5, 9])
def test_a_picture_that_was_not_looked_at_cannot_be_taken(strange: int) -> None:
    rows = np.array([2, 3, 7])
    held = SeenRows(judge().see(Album(), rows, "pictures"), rows)
    with pytest.raises(ValueError, match=f"picture {strange} was not looked at"):
        held.take(np.array([3, strange]))


def test_classes_of_photographs_are_no_attributes_of_drawings() -> None:
    features = np.zeros((2, 4), np.float32)
    photographs = Seen(features, {CLASSES: np.zeros((2, 1000), np.float32)})
    assert not photographs.reads_attributes
    drawings = Seen(
        features, {name: np.eye(2, len(VALUES[name]), dtype=np.float32) for name in ATTRIBUTES}
    )
    assert drawings.reads_attributes
    np.testing.assert_array_equal(drawings.readings(), np.repeat([[0], [1]], 8, axis=1))


def test_the_protocol_tells_the_role_and_the_network() -> None:
    network = Judge(PlantedBackbone(name="other"), torch.device("cpu"), role="fidelity")
    assert network.protocol == "fidelity: other, 50 features"
    assert judge().protocol == "judge: planted, 50 features"
