"""``artifacts/rdg`` on disk: the averaged generator, its sizes and the speech encoder it obeys."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError

from s2igan.engine.tables import read_json, write_json
from s2igan.engine.weights import read_weights, write_weights
from s2igan.errors import UserError
from s2igan.rdg.generator import Generator
from s2igan.sen.artifact import DESCRIPTION as SPEECH_DESCRIPTION
from s2igan.sen.artifact import SPEECH_WEIGHTS
from s2igan.sen.encoder import DescriptionEncoder

DESCRIPTION = "rdg.json"
WEIGHTS = "generator.safetensors"
SPEECH_FILES = (SPEECH_WEIGHTS, SPEECH_DESCRIPTION)


def save_generator(
    folder: Path, generator: Generator, *, training: Mapping[str, object] | None = None
) -> None:
    """Write weights and sizes into the existing ``folder``.

    Args:
        folder: where ``generator.safetensors`` and ``rdg.json`` go.
        generator: usually the averaged one.
        training: figures about the run that do not differ between identical runs.

    Raises:
        TypeError: if it would be loaded as another class, which would draw other pictures where
            the weights fit.
    """
    if type(generator) is not Generator:
        raise TypeError(
            f"a {type(generator).__name__} would be loaded as a {Generator.__name__}: import it "
            f"under this name in {load_generator.__module__} and s2igan.serving.networks, too"
        )
    write_weights(folder / WEIGHTS, generator.state_dict())
    write_json(
        folder / DESCRIPTION,
        {"generator": generator.architecture, "training": dict(training or {})},
    )


def copy_speech_encoder(sen: Path, folder: Path) -> None:
    """Copy what speaking to the generator needs from ``artifacts/sen``.

    Raises:
        OSError: if a file is missing.
    """
    for name in SPEECH_FILES:
        shutil.copyfile(sen / name, folder / name)


def write_speech_encoder(
    folder: Path, encoder: DescriptionEncoder, description: Mapping[str, object]
) -> None:
    """Write a speech encoder that is not SEN's trained one beside the generator.

    Args:
        folder: where ``speech_encoder.safetensors`` and ``sen.json`` go.
        encoder: its weights are written.
        description: the content of SEN's ``sen.json``; what it says of SEN's training is left out.
    """
    write_weights(folder / SPEECH_WEIGHTS, encoder.state_dict())
    kept = {key: value for key, value in description.items() if key != "training"}
    write_json(folder / SPEECH_DESCRIPTION, kept)


def load_generator(rdg: str | Path) -> Generator:
    """Load the trained generator, on the CPU and in evaluation mode.

    Args:
        rdg: ``artifacts/rdg``.

    Raises:
        UserError: if a file is missing or does not fit.
    """
    rdg = Path(rdg)
    description = read_json(rdg / DESCRIPTION, "train_rdg", generator=dict)
    try:
        generator = Generator(**description["generator"])
        read_weights(rdg / WEIGHTS, generator)
    except (OSError, ValueError, TypeError, SafetensorError, RuntimeError) as error:
        raise UserError(
            f"generator {str(rdg)!r}",
            got=str(error).splitlines()[0],
            expected=f"{DESCRIPTION} and {WEIGHTS} that fit each other",
            fix="run `dvc repro train_rdg`",
        ) from error
    return generator.eval()
