import numpy as np
import torch

from s2igan.engine.seeding import numpy_generator, torch_generator


def test_the_same_key_gives_the_same_stream() -> None:
    first, second = (torch.randn(8, generator=torch_generator(3, 1, 2)) for _ in range(2))
    assert torch.equal(first, second)
    once, again = (numpy_generator(3, 1, 2).random(8) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_other_keys_give_other_streams() -> None:
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0)]
    torch_draws = {float(torch.rand(1, generator=torch_generator(*key))) for key in keys}
    numpy_draws = {float(numpy_generator(*key).random()) for key in keys}
    assert len(torch_draws) == len(numpy_draws) == len(keys)


def test_global_state_is_neither_read_nor_moved() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    torch.rand(5, generator=torch_generator(7))
    assert torch.equal(torch.rand(1), expected)
