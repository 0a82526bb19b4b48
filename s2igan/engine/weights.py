"""Weights of networks on disk, as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def write_weights(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None
) -> None:
    """Write tensors of any device as one safetensors file with the user's ordinary file mode.

    ``safetensors.torch.save_file`` gives its files to their owner alone, and a cache shared by a
    team could not be read.

    Args:
        path: the file.
        tensors: by name.
        header: metadata; of several keys the order, and so the bytes, would not be fixed.
    """
    own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.write_bytes(save(own, dict(header) if header else None))
