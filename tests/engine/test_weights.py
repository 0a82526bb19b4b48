import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from s2igan.engine.weights import read_weights, write_weights


def test_weights_come_back_and_are_readable_as_any_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    value = torch.arange(6.0).reshape(2, 3).t().requires_grad_()
    before = os.umask(0o022)
    try:
        write_weights(path, {"layer": value})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert torch.equal(load_file(path)["layer"], value)


@pytest.mark.parametrize(
    ("tensors", "got"),
    [
        ({"weight": torch.full((2, 3), float("nan")), "bias": torch.ones(2)}, "value in weight"),
        ({"weight": torch.ones(2, 3)}, 'Missing key.*"bias"'),
        ({"weight": torch.ones(3, 3), "bias": torch.ones(2)}, "size mismatch for weight"),
    ],
)
def test_weights_of_another_kind_are_told_by_their_name(
    tmp_path: Path, tensors: dict[str, torch.Tensor], got: str
) -> None:
    write_weights(tmp_path / "net.safetensors", tensors)
    with pytest.raises(ValueError, match=got) as caught:
        read_weights(tmp_path / "net.safetensors", nn.Linear(3, 2))
    assert "\n" not in str(caught.value)
