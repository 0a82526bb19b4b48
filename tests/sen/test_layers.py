"""Layers against PyTorch's own on single sequences, where there is no padding to go wrong."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2igan.sen.layers import AttentionPooling, MaskedBatchNorm, length_mask
from s2igan.sen.recurrent import BidirectionalRnn, reverse_frames

LENGTHS = torch.tensor([7, 3, 5])


@pytest.fixture
def batch() -> Tensor:
    """(3, 7, 4), with rubbish past the end of every sequence."""
    return torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))


def real_frames(x: Tensor) -> Tensor:
    return torch.cat([row[:length] for row, length in zip(x, LENGTHS, strict=True)])


def test_length_mask_marks_real_frames() -> None:
    assert length_mask(torch.tensor([2, 0, 3]), 3).int().tolist() == [[1, 1, 0], [0] * 3, [1] * 3]


def test_batch_norm_sees_real_frames_alone(batch: Tensor) -> None:
    masked, plain = MaskedBatchNorm(4), nn.BatchNorm1d(4)
    mask = length_mask(LENGTHS, 7)
    for _ in range(2):
        got = masked(batch.transpose(1, 2), mask).transpose(1, 2)
        expected = plain(real_frames(batch))
        torch.testing.assert_close(real_frames(got), expected)
        assert not got[~mask].any()
    torch.testing.assert_close(masked.running_mean, plain.running_mean)
    torch.testing.assert_close(masked.running_var, plain.running_var)
    masked.eval()
    plain.eval()
    got = masked(batch.transpose(1, 2), mask).transpose(1, 2)
    torch.testing.assert_close(real_frames(got), plain(real_frames(batch)))


def test_attention_pools_each_sequence_as_if_alone(batch: Tensor) -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(4, 6)
    got = pooling(batch, length_mask(LENGTHS, 7))
    for row, length in enumerate(LENGTHS):
        x = batch[row, :length]  # (T, 4)
        hidden = torch.tanh(x @ pooling.hidden.weight.T + pooling.hidden.bias)
        energy = (hidden @ pooling.score.weight.T + pooling.score.bias).exp()  # (T, 4)
        torch.testing.assert_close(got[row], (energy / energy.sum(dim=0) * x).sum(dim=0))


def test_attention_starts_from_an_orthogonal_first_layer() -> None:
    weight = AttentionPooling(16, 6).hidden.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6), atol=1e-5, rtol=0)


def test_reversing_keeps_padding_at_the_end() -> None:
    x = torch.tensor([[1, 2, 3, 9], [4, 9, 9, 9]])[..., None]
    assert reverse_frames(x, torch.tensor([3, 1]))[..., 0].tolist() == [[3, 2, 1, 9], [4, 9, 9, 9]]


def test_gru_agrees_with_packed_sequences(batch: Tensor) -> None:
    torch.manual_seed(0)
    ours, theirs = BidirectionalRnn(4, 5, 2), nn.GRU(4, 5, 2, batch_first=True, bidirectional=True)
    for layer in range(2):
        for module, suffix in ((ours.forwards[layer], ""), (ours.backwards[layer], "_reverse")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                weight = getattr(theirs, f"{name}_l{layer}{suffix}")
                getattr(module, f"{name}_l0").data.copy_(weight.data)
    packed = pack_padded_sequence(batch, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(real_frames(ours(batch, LENGTHS)), real_frames(expected))
