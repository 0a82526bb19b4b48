"""What the authors' code of 2019 imports and this environment lacks: old names, absent packages.

Nothing that takes time in a training step is replaced.
"""

import importlib
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torchvision
import yaml
from torch.utils import model_zoo


def import_reference(folder: str, sign: str, names: list[str]) -> list[Any]:
    """Import modules of the authors' code from a folder in which the file ``sign`` has to lie.

    Raises:
        RuntimeError: saying in one line what is missing.
    """
    if not (Path(folder) / sign).is_file():
        raise RuntimeError(f"no {sign} in {folder!r}")
    stand_in()
    sys.path.insert(0, folder)
    try:
        return [importlib.import_module(name) for name in names]
    except (ImportError, AttributeError, TypeError) as error:
        raise RuntimeError(f"the authors' code does not start: {error}") from error


def stand_in() -> None:
    """Put the stand-ins in place, in this process and for good."""
    # Speed does not depend on the weights of the image network, which cannot be fetched everywhere.
    made: Callable[..., Any] = torchvision.models.inception_v3
    torchvision.models.inception_v3 = partial(_untrained, made)
    vars(model_zoo)["load_url"] = lambda *_, **__: {}
    yaml.load = partial(yaml.load, Loader=yaml.SafeLoader)
    absent: dict[str, dict[str, Any]] = {
        "tensorboardX": {"FileWriter": object, "summary": types.SimpleNamespace()},
        "six": {},
        "six.moves": {"range": range},
        "easydict": {"EasyDict": _Attributes},
    }
    for name, content in absent.items():
        with suppress(ImportError):
            importlib.import_module(name)
            continue
        module = types.ModuleType(name)
        vars(module).update(content)
        sys.modules[name] = module


def _untrained(made: Callable[..., Any], *_: Any, **settings: Any) -> Any:
    kept = {k: v for k, v in settings.items() if k in ("transform_input", "aux_logits")}
    network = made(weights=None, init_weights=False, **kept)
    network.load_state_dict = lambda *_, **__: None
    return network


class _Attributes(dict[str, Any]):
    def __init__(self, values: dict[str, Any] | None = None) -> None:
        super().__init__()
        for name, value in (values or {}).items():
            self[name] = _Attributes(value) if isinstance(value, dict) else value

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value
