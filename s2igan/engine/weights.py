"""Weights of networks on disk, as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor, nn

_SHOWN = 200


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


def read_weights(path: Path, module: nn.Module) -> None:
    """Load what :func:`write_weights` wrote of a module, or of its like.

    The floats of the file may have another precision than those of the module.

    Args:
        path: the file.
        module: on the CPU, or on the device meta, from where it moves to the CPU.

    Raises:
        OSError: if the file cannot be read.
        SafetensorError: if it is damaged.
        ValueError: if it holds other tensors than the module has, or integers in place of floats,
            or a value that is not finite in the module's precision, or a negative variance.
    """
    tensors = load_file(path)
    own = module.state_dict()
    for name in [name for name in own if name in tensors]:
        value, dtype = tensors[name], own[name].dtype
        if value.is_floating_point() != dtype.is_floating_point:
            raise ValueError(f"{value.dtype} in {name}, which is {dtype}")
        try:
            tensors[name] = value.to(dtype, copy=True)  # lies in memory as torch aligns it
        except RuntimeError as error:  # of a precision that torch cannot convert
            raise ValueError(f"{value.dtype} in {name}, which is {dtype}") from error
    try:
        module.load_state_dict(tensors, assign=True)
    except RuntimeError as error:  # its first line names the class of the module alone
        raise ValueError(" ".join(str(error).split("\n")[1:]).strip()[:_SHOWN]) from error
    for name, value in tensors.items():  # cast: a large float64 is infinite in float32
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"a value in {name} that is not finite")
        if name.endswith("running_var") and bool((value < 0).any()):
            raise ValueError(f"a variance in {name} that is negative")
