from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import Inception3, squeezenet1_1

from s2igan.vision.weight_files import WEIGHT_FILES

FULL, PARTIAL = WEIGHT_FILES["inception_v3/fid2015"]
BEHIND_MIXED_7A = ("Mixed_7b.", "Mixed_7c.", "fc.")


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


def randomise(network: nn.Module) -> dict[str, Tensor]:
    """Give every batch normalisation statistics of its own; signals keep their size."""
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=rng) * (2 / fan) ** 0.5
        elif isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.8, 1.2),
                (module.bias.data, -0.1, 0.4),
                (module.running_mean, -0.1, 0.1),
                (module.running_var, 0.8, 1.2),
            ):
                assert tensor is not None
                tensor.uniform_(low, high, generator=rng)
    return network.state_dict()


@pytest.fixture(scope="session")
def fid_tensors() -> dict[str, Tensor]:
    """The state of a random Inception-v3 in torch-fidelity's format."""
    blank = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    return randomise(blank)


@pytest.fixture(scope="session")
def fid_folder(fid_tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fid")
    torch.save(fid_tensors, folder / FULL)
    return folder


@pytest.fixture(scope="session")
def partial_folder(
    fid_tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("partial")
    kept = {
        name: value
        for name, value in fid_tensors.items()
        if not name.startswith(BEHIND_MIXED_7A) and not name.endswith("num_batches_tracked")
    }
    save_file(kept, folder / PARTIAL)
    return folder
