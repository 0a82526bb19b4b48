import os
import stat
from pathlib import Path

import torch
from safetensors.torch import load_file

from s2igan.engine.weights import write_weights


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
