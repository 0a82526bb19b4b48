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


# Two numbers a byte, which torch converts to no other precision.
PACKED = torch.zeros(2, 3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)


@pytest.mark.parametrize(
    ("tensors", "got"),
    [
        ({"weight": torch.full((2, 3), float("nan")), "bias": torch.ones(2)}, "value in weight"),
        ({"weight": torch.ones(2, 3, dtype=torch.int8), "bias": torch.ones(2)}, "int8 in weight"),
        ({"weight": torch.ones(2, 3), "bias": torch.ones(2) + 1j}, "complex64 in bias"),
        ({"weight": torch.ones(2, 3).double() * 1e300, "bias": torch.ones(2)}, "value in weight"),
        ({"weight": PACKED, "bias": torch.ones(2)}, "float4_e2m1fn_x2 in weight"),
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


@pytest.mark.parametrize(
    ("changed", "got"),
    [
        ({"running_var": torch.tensor([1.0, -1e-3])}, "a variance in running_var that is negative"),
        ({"num_batches_tracked": torch.tensor(0.5)}, "float32 in num_batches_tracked, which is "),
    ],
)
def test_statistics_that_no_batch_norm_gathers_are_told(
    tmp_path: Path, changed: dict[str, torch.Tensor], got: str
) -> None:
    module = nn.BatchNorm1d(2)
    write_weights(tmp_path / "net.safetensors", {**module.state_dict(), **changed})
    with pytest.raises(ValueError, match=got):
        read_weights(tmp_path / "net.safetensors", module)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_another_precision_are_read_as_the_modules_own(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    module = nn.Linear(3, 2)
    weights = {"weight": torch.full((2, 3), 0.75), "bias": torch.zeros(2)}
    stored = {name: value.to(dtype) for name, value in weights.items()}
    write_weights(tmp_path / "net.safetensors", stored)
    read_weights(tmp_path / "net.safetensors", module)
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())


def test_a_module_without_memory_gets_that_of_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    whole = nn.GRU(3, 2)
    write_weights(path, whole.half().state_dict())
    with torch.device("meta"):
        module, larger = nn.GRU(3, 2), nn.GRU(3, 2 * 10**6)  # 48 TB
    read_weights(path, module)
    sequence = torch.ones(4, 3)
    assert torch.equal(module(sequence)[0], whole.float()(sequence)[0])
    assert all(weight.requires_grad for weight in module.parameters())
    with pytest.raises(ValueError, match="size mismatch for weight_ih_l0"):
        read_weights(path, larger)
