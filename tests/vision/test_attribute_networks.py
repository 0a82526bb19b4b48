import pytest
import torch

from s2igan.corpora.attributes import ATTRIBUTES, VALUES
from s2igan.vision.attribute_networks import (
    LOGITS,
    CompactNetwork,
    ReaderNetwork,
    fold_normalisation,
    split_logits,
)

NETWORKS = [CompactNetwork, ReaderNetwork]


@pytest.mark.parametrize("kind", NETWORKS)
def test_shapes(kind: type[CompactNetwork | ReaderNetwork]) -> None:
    features, logits = kind()(torch.zeros(2, 3, 64, 64))
    assert features.shape == (2, kind.dimension)
    assert logits.shape == (2, LOGITS)


@pytest.mark.parametrize("kind", NETWORKS)
def test_folding_keeps_what_the_network_says(kind: type[CompactNetwork | ReaderNetwork]) -> None:
    torch.manual_seed(0)
    network = kind(normalise=True)
    for _ in range(3):  # moves the running statistics away from 0 and 1
        network(torch.randn(8, 3, 64, 64) * 2 + 0.5)
    network.eval()
    images = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        before = network(images)
        fold_normalisation(network)
        after = network(images)
    assert network.state_dict().keys() == kind().state_dict().keys()
    torch.testing.assert_close(after[0], before[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after[1], before[1], rtol=1e-4, atol=1e-4)


def test_logits_are_cut_in_the_order_of_the_attributes() -> None:
    parts = split_logits(torch.arange(LOGITS)[None])
    assert tuple(parts) == ATTRIBUTES
    assert [part.shape[1] for part in parts.values()] == [len(VALUES[name]) for name in ATTRIBUTES]
    assert torch.equal(torch.cat(list(parts.values()), dim=1)[0], torch.arange(LOGITS))
