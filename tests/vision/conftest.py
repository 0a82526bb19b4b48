from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from s2igan.vision.weight_files import WEIGHT_FILES


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with SqueezeNets of random weights, keras's without its classifier."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = squeezenet1_1(weights=None).state_dict()
    kept = {name: value for name, value in state.items() if not name.startswith("classifier")}
    save_file(kept, folder / WEIGHT_FILES["squeezenet1_1/keras"][0])
    torch.save(state, folder / WEIGHT_FILES["squeezenet1_1/torchvision"][0])
    return folder
