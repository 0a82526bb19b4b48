"""Triton's compiler takes every kernel for the GPUs that are in use, which needs none of them."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

CAPABILITIES = "80", "90"  # A100, H100 and H200


@pytest.mark.long
def test_every_kernel_compiles(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="no Triton on this platform")
    from s2igan.rdg import norm_kernels
    from s2igan.vision import inception_kernels

    kernels = {
        name
        for module in (norm_kernels, inception_kernels)
        for name, function in vars(module).items()
        if hasattr(function, "fn") and "tl.store" in inspect.getsource(function.fn)
    }
    compiler = {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.compiled_kernels", *CAPABILITIES],
        env=os.environ | compiler,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    compiled = {words[0]: set(words[1:]) for words in map(str.split, done.stdout.splitlines())}
    assert compiled == dict.fromkeys(CAPABILITIES, kernels)
