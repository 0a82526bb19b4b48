"""``artifacts/sen`` on disk: weights as safetensors, sizes and front end in ``sen.json``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from s2igan.engine.tables import write_json
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.sen.image_encoder import ImageEncoder
from s2igan.sen.speech_encoder import SpeechEncoder

DESCRIPTION = "sen.json"
SPEECH_WEIGHTS = "speech_encoder.safetensors"
IMAGE_WEIGHTS = "image_encoder.safetensors"


def save_sen(
    folder: Path,
    speech_encoder: SpeechEncoder,
    image_encoder: ImageEncoder,
    *,
    mel: Mapping[str, object],
    training: Mapping[str, object],
) -> None:
    """Write both encoders into the existing ``folder``.

    Args:
        folder: where the three files go.
        speech_encoder: its weights and sizes are written.
        image_encoder: its weights and sizes are written.
        mel: the content of ``mel.json``, needed to speak to the encoder.
        training: figures about the run that do not differ between identical runs.
    """
    write_weights(folder / SPEECH_WEIGHTS, speech_encoder.state_dict())
    write_weights(folder / IMAGE_WEIGHTS, image_encoder.state_dict())
    write_json(
        folder / DESCRIPTION,
        {
            "speech_encoder": speech_encoder.sizes,
            "image_encoder": image_encoder.sizes,
            "mel": dict(mel),
            "training": dict(training),
        },
    )


def read_json(path: Path, stage: str) -> dict[str, Any]:
    """Read a JSON object that ``stage`` wrote.

    Raises:
        UserError: if it is missing or broken.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{str(path)!r}",
            got=str(error),
            expected=f"an output of the stage {stage}",
            fix=f"run `dvc repro {stage}`",
        ) from error
    return value


def read_description(sen: Path) -> dict[str, Any]:
    """Read ``sen.json`` of an ``artifacts/sen`` or ``artifacts/rdg`` folder.

    Raises:
        UserError: if it is missing or broken.
    """
    return read_json(sen / DESCRIPTION, "train_sen")


def load_speech_encoder(sen: Path) -> SpeechEncoder:
    """Load the trained speech encoder, on the CPU and in evaluation mode.

    Args:
        sen: ``artifacts/sen``, or ``artifacts/rdg``, which carries a copy.

    Raises:
        UserError: if a file is missing or does not fit.
    """
    encoder = SpeechEncoder(**read_description(sen)["speech_encoder"])
    _load_weights(sen / SPEECH_WEIGHTS, encoder)
    return encoder.eval()


def load_image_encoder(sen: Path) -> ImageEncoder:
    """Load the trained image encoder, on the CPU and in evaluation mode.

    Raises:
        UserError: if a file is missing or does not fit.
    """
    encoder = ImageEncoder(**read_description(sen)["image_encoder"])
    _load_weights(sen / IMAGE_WEIGHTS, encoder)
    return encoder.eval()


def _load_weights(path: Path, module: nn.Module) -> None:
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(
            f"weights {str(path)!r}",
            got=str(error).splitlines()[0],
            expected=f"the weights that {DESCRIPTION} describes",
            fix="run `dvc repro train_sen`",
        ) from error
