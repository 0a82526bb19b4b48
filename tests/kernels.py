"""Where Triton kernels run in tests: on a GPU, else in Triton's interpreter (conftest.py)."""

from functools import cache

import pytest
import torch


def kernel_device() -> torch.device:
    """Return the device of the kernels' tensors."""
    pytest.importorskip("triton", reason="no Triton on this platform")
    if torch.cuda.is_available():
        return torch.device("cuda")
    _mend_interpreter()
    return torch.device("cpu")


@cache
def _mend_interpreter() -> None:
    # With NumPy 2.4 the interpreter of Triton 3.6 cannot count with numbers it was called with.
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def mended(tensor, scope):  # type: ignore[no-untyped-def]
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = mended
