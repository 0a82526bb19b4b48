"""Files of pretrained weights: which one serves a network, and what it holds and lacks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from s2igan.errors import UserError, gist

WEIGHT_FILES: dict[str, tuple[str, ...]] = {
    "squeezenet1_1/keras": ("squeezenet1_1.notop.safetensors",),
    "squeezenet1_1/torchvision": ("squeezenet1_1-b8a52dc0.pth",),
    "inception_v3/torchvision": ("inception_v3_google-0cc3c7bd.pth",),
    "inception_v3/fid2015": (
        "weights-inception-2015-12-05-6726825d.pth",
        "inception_v3_2015_12_05.to_mixed_7a.safetensors",
    ),
    "torch_fidelity": ("weights-inception-2015-12-05-6726825d.pth",),
}
"""Files that serve a network, the preferred one first: names as published, and those of
``data/weights.yaml``. Networks that come with the package are left out."""


def find_weights(network: str, folder: Path) -> Path:
    """Return the preferred one of a network's :data:`WEIGHT_FILES` that lies in ``folder``.

    Raises:
        UserError: if there is none.
    """
    names = WEIGHT_FILES[network]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise UserError(
            f"weights of {network}",
            got=f"no file {' or '.join(names)} in {str(folder)!r}",
            fix="run `dvc repro download`",
        )
    return found


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dictionary: ``.safetensors``, or PyTorch's ``.pth`` without unpickling code.

    Raises:
        UserError: if the file is missing, broken, or holds anything but named tensors.
    """
    if not path.is_file():
        raise UserError(
            f"weights {path.name!r}", got=f"no file {str(path)!r}", fix="run `dvc repro download`"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # there is hardly one that a damaged pickle does not raise
        raise UserError(
            f"weights {path.name!r}", got=f"a broken file ({gist(error)})", fix="fetch it again"
        ) from error
    if not (isinstance(values, dict) and all(isinstance(v, Tensor) for v in values.values())):
        raise UserError(f"weights {path.name!r}", got="other objects", expected="named tensors")
    return dict(values)


def load_weights(
    module: nn.Module, path: Path, *, may_lack: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Load a file into a module, naming every layer that it lacks.

    Args:
        module: gets the values, converted to its own dtype.
        path: the file.
        may_lack: beginnings of the names that the file may leave out.

    Returns:
        The names that the file leaves out.

    Raises:
        UserError: if the file is missing or broken, lacks any other layer, holds one that the
            network does not have, or one of another shape.
    """
    tensors = read_tensors(path)
    own = module.state_dict()
    missing = tuple(name for name in own if name not in tensors)
    refused = [name for name in missing if not name.startswith(may_lack)]
    refuse_missing(path, refused)
    refuse_strange(path, tensors, {name: value.shape for name, value in own.items()})
    module.load_state_dict(tensors, strict=False)
    return missing


def refuse_missing(path: Path, names: Sequence[str], *, expected: str = "every layer") -> None:
    """Raise a UserError that names the layers a file lacks, if there are any."""
    if names:
        raise UserError(f"weights {path.name!r}", got="no " + ", ".join(names), expected=expected)


def refuse_strange(
    path: Path, tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]
) -> None:
    """Raise a UserError if a file holds tensors without a place, or of another shape."""
    strange = [name for name, value in tensors.items() if shapes.get(name) != value.shape]
    if strange:
        raise UserError(
            f"weights {path.name!r}",
            got=", ".join(strange),
            expected="the layers of this network alone",
        )
