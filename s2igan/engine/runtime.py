"""Settings of this machine, which never change a result: device, processes, archives and so on.

They come from ``S2IGAN_*`` variables or from ``runtime.yaml`` beside ``params.yaml``, the variable
winning. Everything is anchored at the repository that the user stands in, also when DVC runs a
stage in a temporary copy of it.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from s2igan.engine.section import Section, shown, wanted
from s2igan.errors import UserError

_EXPECTED = {"device": "auto, cpu, cuda or cuda:N", "processes": "auto, or a number from 1"}
_NUMBERS = ("processes", "workers", "checkpoint_minutes")


class Runtime(Section):
    """What may differ from machine to machine."""

    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:(0|[1-9]\d?))?)$", description="where to compute"
    )
    processes: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="of a stage that computes on the device; auto: one a GPU"
    )
    workers: int | None = Field(None, ge=1, description="processes for host work; null: one a core")
    archives: str | None = Field(None, description="folder to find archives in and fetch them into")
    tracking: Literal["mlflow", "off"] = Field("mlflow", description="where runs are recorded")
    checkpoint_minutes: float = Field(
        10.0, gt=0, description="longest time between two checkpoints of a training"
    )
    acceleration: Literal["auto", "off"] = Field(
        "auto",
        description="on a GPU; auto: a training step is one CUDA graph, with kernels of this "
        "project in it, off: PyTorch's own operations, one by one",
    )

    @property
    def archives_folder(self) -> Path | None:
        """The folder of archives, anchored at :func:`repository_root`."""
        if self.archives is None:
            return None
        return repository_root() / os.path.expanduser(self.archives)

    @property
    def archive_folders(self) -> tuple[Path, ...]:
        """Folders to look for archives in: the configured one, then the repository's own."""
        own = state_folder() / "archives"
        return (own,) if self.archives_folder is None else (self.archives_folder, own)

    @property
    def archive_store(self) -> Path:
        """The first of these folders that can be written to; it need not exist."""
        folders = self.archive_folders
        return next((folder for folder in folders if _writable(folder)), folders[-1])


_SETTINGS = tuple(Runtime.model_fields)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    # Linux alone binds a process to some of them.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def repository_root() -> Path:
    """Return ``$DVC_ROOT``, else the nearest parent folder that holds ``.dvc`` or ``.git``."""
    if root := os.environ.get("DVC_ROOT"):
        return Path(root).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return folder
    return here


def state_folder() -> Path:
    """Return the Git-ignored folder of everything that outlives a stage without being an output."""
    return repository_root() / ".s2igan"


def _writable(folder: Path) -> bool:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _read_file(path: Path) -> dict[str, object]:
    # Speaking to a model needs no PyYAML, where no such file lies.
    from s2igan.engine.strict_yaml import read_yaml

    values = read_yaml(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{str(path)!r}", got=shown(values), expected="a mapping of settings")
    return values


def _number(text: str) -> int | float | str:
    try:
        return int(text) if text.removeprefix("-").isdecimal() else float(text)
    except ValueError:
        return text


def read_runtime() -> Runtime:
    """Read the machine's settings.

    Raises:
        UserError: if a setting is unknown or has a wrong value.
    """
    path = repository_root() / "runtime.yaml"
    values = _read_file(path) if os.path.lexists(path) else {}
    sources = {name: f"{name} in {str(path)!r}" for name in values}
    for name in _SETTINGS:
        variable = f"S2IGAN_{name.upper()}"
        if text := os.environ.get(variable):
            values[name] = _number(text) if name in _NUMBERS else text
            sources[name] = f"variable {variable}"
    try:
        return Runtime.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0])
        raise UserError(
            sources.get(name, name),
            got=shown(problem["input"]),
            expected=_expected(name, problem["msg"]),
        ) from error


def _expected(name: str, message: str) -> str:
    if name not in _SETTINGS:
        return f"one of {', '.join(_SETTINGS)}"
    return _EXPECTED.get(name) or wanted(message)
