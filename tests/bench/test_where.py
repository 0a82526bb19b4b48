"""Where the time of a step goes: parts that add up, under names that can be read."""

import pytest
import torch
from torch.nn import functional as F

from bench import where


class Convolutions:
    """Three convolutions and one matrix product a step."""

    images = 1

    def step(self) -> None:
        picture, weight = torch.ones(1, 4, 8, 8), torch.ones(4, 4, 3, 3)
        for _ in range(3):
            picture = F.conv2d(picture, weight, padding=1)
        torch.mm(picture.view(4, 64), torch.ones(64, 2))


def test_a_step_falls_into_what_it_calls() -> None:
    parts = where.parts_of(Convolutions(), 2, torch.device("cpu"))
    calls = {part.name: part.calls for part in parts}
    assert calls["aten::conv2d"] == 3
    assert calls["aten::mm"] == 1
    assert [part.ms for part in parts] == sorted((part.ms for part in parts), reverse=True)


def test_what_is_not_shown_is_added_up() -> None:
    told = where.table_of([where.Part(f"part {i}", 2, 1.0) for i in range(where.SHOWN + 10)])
    assert "| `10 others` | 20 | 10.00 | 25.0 % |" in told
    assert told.endswith("| all | | 40.0 | |")


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<"
            "c10::BFloat16>, std::array<char*, 3ul> >(int, at::native::CUDAFunctor_add<float>)",
            "vectorized_elementwise_kernel CUDAFunctor_add",
        ),
        ("void kernel<(anonymous namespace)::Of<int>, 3>(float const*, int)", "kernel"),
        ("_moments", "_moments"),
    ],
)
def test_a_kernel_keeps_its_name_alone(kernel: str, name: str) -> None:
    assert where.short(kernel) == name
