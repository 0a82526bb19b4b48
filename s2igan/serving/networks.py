"""The two networks of a model folder, with the front end that they hear through.

The names of the files are those of ``artifacts/rdg``, so that a folder of the pipeline is a model
as it stands, and an exported one is the same with less precision and more words.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from s2igan.engine.weights import read_weights
from s2igan.errors import UserError
from s2igan.rdg.generator import Generator
from s2igan.sen.build import build_encoder
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.speech.mel import LogMel, MelParameters

GENERATOR, GENERATOR_WEIGHTS = "rdg.json", "generator.safetensors"
ENCODER, ENCODER_WEIGHTS = "sen.json", "speech_encoder.safetensors"
FILES = (GENERATOR, GENERATOR_WEIGHTS, ENCODER, ENCODER_WEIGHTS)

_UNFIT = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    SafetensorError,
    RuntimeError,
)

Network = TypeVar("Network", bound=nn.Module)


class Networks(NamedTuple):
    """Both in evaluation mode, on the CPU and in float32, and the content of their JSON files."""

    encoder: DescriptionEncoder
    generator: Generator
    encoder_description: dict[str, Any]
    generator_description: dict[str, Any]


def load_networks(folder: Path) -> Networks:
    """Load the speech encoder and the generator of a model folder.

    Raises:
        UserError: if a file is missing or broken, or the encoder does not listen.
    """
    try:
        description = json.loads((folder / ENCODER).read_text("utf-8"))
        drawn_by = json.loads((folder / GENERATOR).read_text("utf-8"))
        encoder = _read(lambda: build_encoder(description), folder / ENCODER_WEIGHTS)
        generator = _read(lambda: Generator(**drawn_by["generator"]), folder / GENERATOR_WEIGHTS)
        if encoder.embedding_dim != generator.embedding_dim:
            raise ValueError(
                f"embeddings of {encoder.embedding_dim} numbers for a generator that takes "
                f"{generator.embedding_dim}"
            )
        if encoder.reads != "mel":
            raise UserError(
                f"model {str(folder)!r}",
                got=f"an encoder that reads {encoder.reads}",
                expected="one that listens to speech",
            )
        if description["mel"].keys() != MelParameters.__annotations__.keys():
            raise ValueError(f"mel that is no front end of train_sen in {ENCODER}")
        bands = LogMel(**description["mel"]).parameters["bands"]
        if bands != encoder.sizes["bands"]:
            raise ValueError(
                f"{bands} mel bands for an encoder that takes {encoder.sizes['bands']}"
            )
    except _UNFIT as error:
        missing = f"no known {error} in {ENCODER} or {GENERATOR}"
        raise UserError(
            f"model {str(folder)!r}",
            got=missing if isinstance(error, KeyError) else str(error).splitlines()[0],
            expected=f"{', '.join(FILES)} that fit each other",
            fix="train it with `dvc repro train_rdg`, or export it anew with `s2igan export`",
        ) from error
    return Networks(encoder.eval(), generator.eval(), description, drawn_by)


def _read(build: Callable[[], Network], weights: Path) -> Network:
    # Sizes far above those of the weights are then told at once, and take no memory.
    with torch.device("meta"):
        network = build()
    read_weights(weights, network)
    if any(buffer.is_meta for buffer in network.buffers()):  # built, such as positions, not learnt
        network = build()
        read_weights(weights, network)
    return network
