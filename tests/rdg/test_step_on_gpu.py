"""A step on a GPU, captured and with kernels of its own, against PyTorch's operations alone."""

import pytest
import torch

from s2igan.engine import kernels
from s2igan.rdg.step import RdgStep
from tests.rdg.makers import EMBEDDING_DIM, embed_image, random_batch, rdg_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

STEPS = 6  # the first three run as they are, the fourth is captured


def losses(monkeypatch: pytest.MonkeyPatch, acceleration: str) -> list[dict[str, float]]:
    monkeypatch.setenv("S2IGAN_ACCELERATION", acceleration)
    kernels._wanted.cache_clear()
    step = RdgStep(
        rdg_config(use_rs=True, rs_every=2, matching_weight=1.0),
        embedding_dim=EMBEDDING_DIM,
        embed_image=embed_image,
        device=torch.device("cuda"),
    )
    batches = [random_batch(step.config, seed) for seed in range(STEPS * 2)]
    told = [{k: float(v) for k, v in step(n, b).items()} for n, b in enumerate(batches)]
    assert step._graphs.captured() == (0 if acceleration == "off" else 2)  # with guidance, without
    kernels._wanted.cache_clear()
    return told


def test_both_tell_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, fast = losses(monkeypatch, "off"), losses(monkeypatch, "auto")
    for number, (one, other) in enumerate(zip(plain, fast, strict=True)):
        assert one.keys() == other.keys()
        assert ("RS" in one) == (number % 2 == 0)
        for name in one:
            if "accuracy" not in name:
                assert other[name] == pytest.approx(one[name], rel=0.05, abs=0.02), (number, name)
