import copy

import torch

from s2igan.sen.layers import MaskedBatchNorm, length_mask


def test_sums_over_all_frames_give_what_picking_the_real_ones_gives() -> None:
    torch.manual_seed(0)
    picking = MaskedBatchNorm(5).double()
    torch.nn.init.normal_(picking.weight)
    torch.nn.init.normal_(picking.bias)
    summing = copy.deepcopy(picking)
    x = torch.randn(4, 5, 9, dtype=torch.float64, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    mask = length_mask(torch.tensor([9, 4, 1, 7]), 9)
    expected = picking(x, mask)
    found = summing.weighed(other.transpose(1, 2), mask).transpose(1, 2)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(expected)
    torch.autograd.backward((expected * weight).sum())
    torch.autograd.backward((found * weight).sum())
    torch.testing.assert_close(other.grad, x.grad)
    for name, value in picking.state_dict().items():
        torch.testing.assert_close(summing.state_dict()[name], value)


def test_frames_of_bfloat16_are_normalised_in_float32() -> None:
    torch.manual_seed(0)
    norm = MaskedBatchNorm(5)
    exact = copy.deepcopy(norm)
    x = (torch.randn(4, 5, 300) + 3).bfloat16()
    mask = length_mask(torch.tensor([300, 40, 1, 270]), 300)
    found = norm(x, mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact(x.float(), mask))
