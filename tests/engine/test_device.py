import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from s2igan.engine import device
from s2igan.engine.device import Precision, autocast, choose_device
from s2igan.errors import UserError


def old_driver() -> bool:
    warnings.warn("CUDA initialization: The NVIDIA driver\n is too old", UserWarning, stacklevel=1)
    return False


def test_an_unusable_gpu_is_named_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", old_driver)
    monkeypatch.setattr(device, "gpu_is_present", lambda: True)
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    assert choose_device() == torch.device("cpu")
    told = capsys.readouterr().err
    assert told == (
        "device: cpu (a GPU is present but unusable: "
        "CUDA initialization: The NVIDIA driver is too old)\n"
    )


def test_without_a_gpu_there_is_nothing_to_explain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "gpu_is_present", lambda: False)
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    assert choose_device() == torch.device("cpu")
    assert capsys.readouterr().err == "device: cpu\n"


def test_a_gpu_left_aside_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "gpu_is_present", lambda: True)
    assert choose_device() == torch.device("cpu")
    assert "the device setting says cpu" in capsys.readouterr().err


def test_a_gpu_asked_for_by_name_must_be_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", old_driver)
    monkeypatch.setenv("S2IGAN_DEVICE", "cuda")
    with pytest.raises(UserError, match="device 'cuda'; got CUDA initialization"):
        choose_device()


def test_a_chip_without_kernels_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_kernel(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no_kernel)
    assert device.cuda_problem(torch.device("cuda:0")) == "CUDA error: no kernel image is available"


@pytest.fixture
def asked_anew() -> Iterator[None]:
    device._computes_bfloat16.cache_clear()
    yield
    device._computes_bfloat16.cache_clear()


def product(precision: Precision) -> torch.dtype:
    x = torch.ones(2, 2)
    with autocast(torch.device("cpu"), precision):
        return (x @ x).dtype


@pytest.mark.usefixtures("asked_anew")
def test_precision_is_that_of_the_products(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert product("bfloat16") == torch.bfloat16
    assert product("float32") == torch.float32
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    "found", [{"avx2": True, "avx512_bf16": False}, {"neon": True, "bf16": True}]
)
def test_a_processor_without_bfloat16_computes_in_float32_and_says_so_once(
    found: dict[str, bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert product("float32") == torch.float32
    assert capsys.readouterr().err == ""
    assert [product("bfloat16") for _ in range(2)] == [torch.float32] * 2
    told = capsys.readouterr().err
    assert told == "precision: float32, since bfloat16 does not pay on this cpu\n"


@pytest.mark.parametrize("precision", ["float16", "fp32", None])
def test_no_other_precision_is_taken_for_bfloat16(precision: Any) -> None:
    said = rf"^precision is {precision!r}, expected float32 or bfloat16$"
    with pytest.raises(ValueError, match=said):
        product(precision)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no usable CUDA device")
def test_a_usable_gpu_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S2IGAN_DEVICE", "auto")
    assert choose_device().type == "cuda"
    assert capsys.readouterr().err.startswith("device: cuda:0 (")
