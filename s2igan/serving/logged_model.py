"""A model as MLflow keeps it: code, weights, signature, an example, and what it needs."""

import base64
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from s2igan.engine.closure import import_closure
from s2igan.engine.pictures import Picture, save_png, tile
from s2igan.serving.model import SpeechToImage
from s2igan.serving.voices import speak_text
from s2igan.speech.audio import encode_flac, to_pcm

TEXT = "a small red one with black and white"
"""What the example says; it shows the form of a request."""

_PACKAGE = Path(__file__).parents[1]
_NEEDS = (
    *("mlflow", "numpy", "pandas", "pillow", "pydantic", "pyyaml", "safetensors", "soundfile"),
    *("torch", "torchaudio", "torchvision"),
)


@dataclass(frozen=True)
class Example:
    """A recording and what the model draws of it.

    Attributes:
        file: the recording, a FLAC file.
        pictures: ``(4, S, S, 3)`` uint8.
    """

    file: bytes
    pictures: Picture


def example_of(model: SpeechToImage) -> Example:
    """Speak :data:`TEXT` in the voice of the model's corpus, and draw it."""
    recording = speak_text(TEXT, model.card)
    pictures = model.draw(model.embed([recording]), count=4)[0]
    return Example(encode_flac(to_pcm(recording.samples), recording.rate_hz), pictures)


def write_example(example: Example, folder: Path) -> tuple[Path, Path]:
    """Write recording and pictures as files."""
    heard, drawn = folder / "example.flac", folder / "example.png"
    heard.write_bytes(example.file)
    save_png(drawn, tile(example.pictures, columns=len(example.pictures)))
    return heard, drawn


def log_model(exported: Path, example: Example, scratch: Path) -> str:
    """Log a model into the active run, with all code that it takes.

    Args:
        exported: what :func:`s2igan.serving.export.export_model` wrote.
        example: a request and its answer.
        scratch: an empty place to put things together.

    Returns:
        The address of the logged model.
    """
    import mlflow
    import pandas as pd

    request = {"recording": [base64.b64encode(example.file).decode()]}
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(_PACKAGE / "serving" / "pyfunc_model.py"),
        artifacts={"model": str(exported)},
        code_paths=[str(_copied_code(scratch / "code"))],
        signature=_signature(),
        input_example=pd.DataFrame(request),
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _NEEDS],
    )
    return str(info.model_uri)


def _copied_code(folder: Path) -> Path:
    """Copy the part of this package that serving a model takes; return where it lies."""
    root = _PACKAGE.parent
    files = import_closure(f"{_PACKAGE.name}.serving.pyfunc_model", root, exempt=())
    packages = {parent / "__init__.py" for path in files for parent in path.parents[:-1]}
    for path in packages.union(files):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, folder / path)
    return folder / _PACKAGE.name


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array

    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.string, "recording", required=False),
                ColSpec(Array(DataType.double), "samples", required=False),
                # MLflow takes no whole number of pandas for a double, nor a float for a long.
                ColSpec(AnyType(), "rate_hz", required=False),  # type: ignore[no-untyped-call]
            ]
        ),
        outputs=Schema([ColSpec(DataType.string, "png")]),
        params=ParamSchema(
            [
                ParamSpec("count", DataType.integer, 1),
                ParamSpec("seed", DataType.long, 0),
                ParamSpec("truncation", DataType.double, 0.0),
            ]
        ),
    )
