from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from s2igan.vision.backbones import DOWNLOADED_FILES


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a SqueezeNet of random weights, without its classifier."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = squeezenet1_1(weights=None).state_dict()
    kept = {name: value for name, value in state.items() if not name.startswith("classifier")}
    save_file(kept, folder / DOWNLOADED_FILES["squeezenet1_1/keras"])
    return folder
