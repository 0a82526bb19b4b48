"""``artifacts/sen`` on disk: weights as safetensors, sizes and front end in ``sen.json``."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from torch import nn

from s2igan.engine.tables import read_json, write_json
from s2igan.engine.weights import read_weights, write_weights
from s2igan.errors import UserError, gist, unreadable_output
from s2igan.sen.build import build_encoder, build_seeded_encoder
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.image_encoder import ImageEncoder, PictureEncoder, StandardisedFeatures

DESCRIPTION = "sen.json"
SPEECH_WEIGHTS = "speech_encoder.safetensors"
IMAGE_WEIGHTS = "image_encoder.safetensors"


Built = TypeVar("Built", bound=nn.Module)


def save_sen(
    folder: Path,
    speech_encoder: DescriptionEncoder,
    image_encoder: PictureEncoder,
    *,
    encoder: str,
    objective: str,
    seed: int,
    mel: Mapping[str, object],
    backbones: Sequence[str],
    training: Mapping[str, object],
) -> None:
    """Write both encoders into the existing ``folder``.

    Args:
        folder: where the three files go.
        speech_encoder: its weights and sizes are written.
        image_encoder: its weights and sizes are written.
        encoder: which encoder it is, a value of ``sen.encoder``.
        objective: what it was trained with, a value of ``sen.objective``.
        seed: of its first weights.
        mel: the content of ``mel.json``, needed to speak to the encoder.
        backbones: names of the networks whose joined features the image encoder learnt from.
        training: figures about the run that do not differ between identical runs.
    """
    write_weights(folder / SPEECH_WEIGHTS, speech_encoder.state_dict())
    write_weights(folder / IMAGE_WEIGHTS, image_encoder.state_dict())
    write_json(
        folder / DESCRIPTION,
        {
            "encoder": encoder,
            "reads": speech_encoder.reads,
            "objective": objective,
            "seed": seed,
            "speech_encoder": speech_encoder.sizes,
            "image_encoder": image_encoder.sizes,
            "mel": dict(mel),
            "backbones": list(backbones),
            "training": dict(training),
        },
    )


def read_description(sen: Path) -> dict[str, Any]:
    """Read ``sen.json`` of an ``artifacts/sen`` or ``artifacts/rdg`` folder.

    Raises:
        UserError: if it is missing or broken.
    """
    return read_json(sen / DESCRIPTION, "train_sen")


def load_speech_encoder(sen: str | Path) -> DescriptionEncoder:
    """Load the trained encoder of descriptions, on the CPU and in evaluation mode.

    Args:
        sen: ``artifacts/sen``, or ``artifacts/rdg``, which carries a copy.

    Raises:
        UserError: if a file is missing or does not fit.
    """
    sen = Path(sen)
    encoder = _build(sen, build_encoder)
    _load_weights(sen / SPEECH_WEIGHTS, encoder)
    return encoder.eval()


def seeded_speech_encoder(sen: Path) -> DescriptionEncoder:
    """Build the encoder of descriptions as it was before its training, bit for bit.

    Args:
        sen: ``artifacts/sen``; its weights are not read.

    Returns:
        On the CPU and in evaluation mode.

    Raises:
        UserError: if ``sen.json`` is missing or broken.
    """
    return _build(sen, build_seeded_encoder).eval()


def load_image_encoder(sen: str | Path) -> PictureEncoder:
    """Load the trained image encoder, on the CPU and in evaluation mode.

    After ``sen.objective`` teacher_student it has no weights: pictures are their own features.

    Raises:
        UserError: if a file is missing or does not fit.
    """
    sen = Path(sen)
    encoder = _build(sen, _build_image_encoder)
    _load_weights(sen / IMAGE_WEIGHTS, encoder)
    return encoder.eval()


def check_front_end(sen: Path, features: Path) -> None:
    """Refuse features that are not heard as the encoder of descriptions learnt to hear.

    Args:
        sen: ``artifacts/sen``, or ``artifacts/rdg``.
        features: ``artifacts/features``.

    Raises:
        UserError: if their front ends differ, or a file is missing or broken.
    """
    path = features / "mel.json"
    if read_json(path, "features") != read_description(sen).get("mel"):
        raise unreadable_output(
            f"front end {str(path)!r}", f"another than that of {str(sen / DESCRIPTION)!r}"
        )


def _build_image_encoder(description: Mapping[str, Any]) -> PictureEncoder:
    teaches = description["objective"] == "teacher_student"
    return (StandardisedFeatures if teaches else ImageEncoder)(**description["image_encoder"])


def _build(sen: Path, build: Callable[[Mapping[str, Any]], Built]) -> Built:
    try:
        return build(read_description(sen))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{str(sen / DESCRIPTION)!r}",
            got=f"no encoder that can be built ({gist(error)})",
            expected="what this version's stage train_sen writes",
            fix="run `dvc repro train_sen`",
        ) from error


def _load_weights(path: Path, module: nn.Module) -> None:
    try:
        read_weights(path, module)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(
            f"weights {str(path)!r}",
            got=str(error).splitlines()[0],
            expected=f"the weights that {DESCRIPTION} describes",
            fix="run `dvc repro train_sen`",
        ) from error
