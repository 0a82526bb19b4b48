"""One folder that holds all of a model, loadable without the repository and its packages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from s2igan.engine.folders import fresh_folder
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.serving.card import CARD, card_told
from s2igan.serving.examples import FILE as EXAMPLES
from s2igan.serving.examples import listed_clips, write_examples
from s2igan.serving.gallery import FILE as GALLERY
from s2igan.serving.gallery import write_gallery
from s2igan.serving.model_card import README, model_card
from s2igan.serving.networks import (
    ENCODER,
    ENCODER_WEIGHTS,
    FILES,
    GENERATOR,
    GENERATOR_WEIGHTS,
    load_networks,
)
from s2igan.serving.voices import voice_is_installed

_REAL_PICTURES = 192
"""Laid beside drawn ones by the page; as many drawings of 128 px take 2 MB."""

_OF_FILE_MANAGERS = (".DS_Store", "Thumbs.db", "desktop.ini")

StoredPrecision = Literal["float16", "float32"]


def export_model(
    rdg: Path, card: Mapping[str, Any], out: Path, *, precision: StoredPrecision = "float16"
) -> int:
    """Write a model folder, with what the page shows beside it where the model has that.

    Args:
        rdg: ``artifacts/rdg``, or another exported model.
        card: what the model says of itself, see :func:`s2igan.serving.card.read_card`.
        out: the folder; an exported model that lies there alone is replaced.
        precision: of the stored matrices and filters; they are computed with in float32, and what
            is small anyway, biases and batch norms, stays float32. float16 halves the files and
            changes a picture by a level of 255 here and there.

    Returns:
        The size of the folder, bytes.

    Raises:
        UserError: if ``rdg`` is no model, or ``out`` holds anything but an exported model, or the
            real pictures or examples of ``rdg`` are broken.
    """
    check_replaceable(out)
    networks = load_networks(rdg)
    with fresh_folder(out) as folder:
        write_weights(folder / GENERATOR_WEIGHTS, _stored(networks.generator, precision))
        write_weights(folder / ENCODER_WEIGHTS, _stored(networks.encoder, precision))
        _write(folder / GENERATOR, networks.generator_description)
        _write(folder / ENCODER, networks.encoder_description)
        _write(folder / CARD, card)
        write_gallery(
            folder,
            rdg,
            dimension=networks.encoder.embedding_dim,
            side=networks.generator.sizes[-1],
            count=_REAL_PICTURES,
        )
        write_examples(folder, rdg, card, can_speak=voice_is_installed())
        size = sum(path.stat().st_size for path in folder.iterdir())
        with card_told(rdg):
            told = model_card(card, networks, size)
        (folder / README).write_text(told, encoding="utf-8")
    return sum(path.stat().st_size for path in out.iterdir())


def check_replaceable(out: Path) -> None:
    """Refuse to write a model where anything else lies, beside an exported model too.

    Raises:
        UserError: if ``out`` is a file, the current folder, or one that holds what no export
            writes.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise _occupied(out, "a file")
    if Path.cwd().is_relative_to(out.resolve()):  # which would be gone once it is replaced
        raise _occupied(out, "the folder that you stand in")
    present = sorted(path.name for path in out.iterdir())
    if present and CARD not in present:
        raise _occupied(out, "something else than an exported model there")
    try:
        clips = listed_clips(out)
    except UserError as error:
        raise _occupied(out, "a list of examples there that cannot be read") from error
    own = {*FILES, CARD, README, GALLERY, EXAMPLES, *clips, *_OF_FILE_MANAGERS}
    if foreign := [name for name in present if name not in own]:
        raise _occupied(out, f"{foreign[0]!r} there, which no export has written")


def _occupied(out: Path, got: str) -> UserError:
    return UserError(
        f"folder {str(out)!r}",
        got=got,
        expected="a new folder, or an exported model and nothing else",
        fix="name another folder",
    )


def _stored(module: nn.Module, precision: StoredPrecision) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = module.state_dict()
    if precision == "float32":
        return weights
    return {name: _halved(value) if value.ndim > 1 else value for name, value in weights.items()}


def _halved(weights: Tensor) -> Tensor:
    # What float16 cannot hold stays as it is.
    half = weights.half()
    return half if bool(half.isfinite().all()) else weights


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
