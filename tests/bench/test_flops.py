"""Products of recurrent layers count wherever they run."""

import pytest
import torch
from torch import nn

from bench.flops import products_of
from s2igan.sen import recurrent
from s2igan.sen.recurrent import BidirectionalRnn

BATCH, FRAMES, FEATURES, HIDDEN = 3, 7, 5, 4
FORWARDS = 2 * BATCH * FRAMES * 3 * HIDDEN * (FEATURES + HIDDEN)  # of one direction
# Backwards twice that; the zero state before the first step says nothing about its weights.
BOTH_WAYS = 3 * FORWARDS - 2 * BATCH * 3 * HIDDEN * HIDDEN


@pytest.mark.parametrize("paired", [True, False])
def test_both_directions_count_in_each_way_of_running_them(
    monkeypatch: pytest.MonkeyPatch, paired: bool
) -> None:
    monkeypatch.setattr(recurrent, "in_captured_step", lambda: paired)
    rnn, lengths = BidirectionalRnn(FEATURES, HIDDEN, 1), torch.full((BATCH,), FRAMES)
    x = torch.ones(BATCH, FRAMES, FEATURES, requires_grad=True)
    assert products_of(lambda: rnn(x, lengths)) == 2 * FORWARDS
    assert products_of(lambda: rnn(x, lengths).sum().backward()) == 2 * BOTH_WAYS


def test_the_layers_of_an_lstm_count_as_well() -> None:
    rnn, lengths = BidirectionalRnn(FEATURES, HIDDEN, 1, nn.LSTM), torch.full((BATCH,), FRAMES)
    x = torch.ones(BATCH, FRAMES, FEATURES, requires_grad=True)
    forwards = 2 * FORWARDS * 4 // 3  # four gates in place of three
    assert products_of(lambda: rnn(x, lengths)) == forwards
    both_ways = products_of(lambda: rnn(x, lengths).sum().backward())
    # A machine without those layers leaves the zero state before the first step out.
    assert both_ways == pytest.approx(3 * forwards, rel=0.03)


def test_cudnn_counts_as_well() -> None:
    gru = nn.GRU(FEATURES, HIDDEN, device="meta")
    x = torch.ones(FRAMES, BATCH, FEATURES, device="meta")
    given = [x, list(gru.parameters()), 4, None, x.new_zeros(1, BATCH, HIDDEN), None]
    settings = [3, HIDDEN, 0, 1, False, 0.0, True, False, [], None]
    assert products_of(lambda: torch.ops.aten._cudnn_rnn(*given, *settings)) == FORWARDS
