"""Encoders of descriptions as ``sen.json`` names them."""

from collections.abc import Mapping
from typing import Any

import torch

from s2igan.sen.char_cnn_rnn import CharCnnRnn
from s2igan.sen.conv_blstm import ConvBlstm
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.speech_encoder import SpeechEncoder

ENCODERS: Mapping[str, type[DescriptionEncoder]] = {
    "sed": SpeechEncoder,
    "char_cnn_rnn": CharCnnRnn,
    "conv_blstm": ConvBlstm,
}
"""By the value of ``sen.encoder``."""


def build_encoder(description: Mapping[str, Any]) -> DescriptionEncoder:
    """Build an encoder with fresh weights, drawn from torch's current generator.

    Args:
        description: the content of ``sen.json``; ``encoder`` and ``speech_encoder``, the sizes, are
            read.

    Raises:
        TypeError: if the encoder does not keep its arguments as ``sizes``, by which it is built
            again from ``sen.json``, or hears log-mel without an argument ``bands``, which speaking
            to it asks for: told here, since a training ends with writing them.
    """
    sizes = description["speech_encoder"]
    encoder = ENCODERS[description["encoder"]](**sizes)
    if getattr(encoder, "sizes", None) != sizes:
        raise TypeError(f"`sizes` of {type(encoder).__name__} are not the arguments that built it")
    if encoder.reads == "mel" and "bands" not in sizes:
        raise TypeError(f"{type(encoder).__name__} reads log-mel and has no argument `bands`")
    return encoder


def build_seeded_encoder(description: Mapping[str, Any]) -> DescriptionEncoder:
    """Build an encoder with the weights that the training of SEN began with.

    Args:
        description: as for :func:`build_encoder`; ``seed`` is read besides.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(description["seed"])
        return build_encoder(description)
