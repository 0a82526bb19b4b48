"""Tacotron2 with its vocoder, loaded from the weight files that torchaudio publishes.

Shen et al., "Natural TTS Synthesis by Conditioning WaveNet on Mel Spectrogram Predictions" (2018).
The files are those of ``torchaudio.pipelines.TACOTRON2_WAVERNN_CHAR_LJSPEECH`` and
``TACOTRON2_GRIFFINLIM_CHAR_LJSPEECH``, which would download them at first use; here the stage
``download`` has verified them. Sizes are read from the shapes of the tensors.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Final, TypeVar

import torch
from torch import Tensor, nn
from torchaudio.models import Tacotron2, WaveRNN

from s2igan.errors import UserError, gist
from s2igan.speech.config import Tacotron2Config
from s2igan.speech.narrator import Narrator
from s2igan.speech.normalisation import ALPHABET
from s2igan.speech.vocoders import BANDS, GriffinLimVocoder, Vocoder, WaveRnnVocoder

NETWORKS: Final = {
    "griffinlim": "tacotron2/ljspeech-griffinlim",
    "wavernn": "tacotron2/ljspeech",
}
"""The Tacotron2 that was trained on the spectrograms of each vocoder, as the weights name it."""

WAVERNN: Final = "wavernn/ljspeech"

LISTED: Final = "tts.json"
"""The list in the folder of weights: file and checksum of every network of the stage."""

_DAMAGED = (KeyError, IndexError, TypeError, ValueError, RuntimeError, EOFError, UnpicklingError)

Network = TypeVar("Network", bound=nn.Module)
State = Mapping[str, Tensor]


def load_narrator(config: Tacotron2Config, weights: Path, device: torch.device) -> Narrator:
    """Load the networks that ``config`` names onto ``device``.

    Raises:
        UserError: if a file is missing or does not hold its network.
    """
    network = _load(NETWORKS[config.vocoder], weights, tacotron2_of).to(device)
    vocoder: Vocoder
    if config.vocoder == "wavernn":
        vocoder = WaveRnnVocoder(_load(WAVERNN, weights, wavernn_of)).to(device)
    else:
        vocoder = GriffinLimVocoder().to(device)
    return Narrator(network, vocoder, max_frames=config.max_frames, precision=config.precision)


def tacotron2_of(state: State) -> Tacotron2:
    """Build the Tacotron2 whose state this is; what is no size is as in the bundles.

    Raises:
        KeyError: if a tensor of a Tacotron2 is missing.
        RuntimeError: if tensors do not fit together, or it reads or writes something else.
    """
    symbols, embedding = state["embedding.weight"].shape
    encoder = state["encoder.convolutions.0.0.weight"].shape  # (out, in, kernel)
    location = state["decoder.attention_layer.location_layer.location_conv.weight"].shape
    prenet, bands = state["decoder.prenet.layers.0.weight"].shape
    postnet = state["postnet.convolutions.0.0.weight"].shape  # (out, in, kernel)
    if (symbols, bands) != (len(ALPHABET), BANDS):
        raise RuntimeError(f"{symbols} symbols and {bands} bands")
    network = Tacotron2(
        mask_padding=False,
        n_mels=bands,
        n_symbol=symbols,
        symbol_embedding_dim=embedding,
        encoder_embedding_dim=encoder[0],
        encoder_n_convolution=_layers(state, "encoder.convolutions."),
        encoder_kernel_size=encoder[2],
        decoder_rnn_dim=state["decoder.decoder_rnn.weight_hh"].shape[1],
        attention_rnn_dim=state["decoder.attention_rnn.weight_hh"].shape[1],
        attention_hidden_dim=state["decoder.attention_layer.query_layer.weight"].shape[0],
        attention_location_n_filter=location[0],
        attention_location_kernel_size=location[2],
        prenet_dim=prenet,
        postnet_n_convolution=_layers(state, "postnet.convolutions."),
        postnet_kernel_size=postnet[2],
        postnet_embedding_dim=postnet[0],
        gate_threshold=0.5,
    )
    network.load_state_dict(dict(state))
    return network


def wavernn_of(state: State) -> WaveRNN:
    """Build the WaveRNN whose state this is.

    Raises:
        KeyError: if a tensor of a WaveRNN is missing.
        RuntimeError: if tensors do not fit together, or it hears something else.
    """
    resnet = "upsample.resnet.melresnet_model."
    hidden, bands, kernel = state[f"{resnet}0.weight"].shape
    if bands != BANDS:
        raise RuntimeError(f"{bands} bands")
    # An upsampling layer by s smooths over 2 s + 1 samples; layers without weights lie between.
    upsampling = [name for name in state if name.startswith("upsample.upsample_layers.")]
    scales = [(state[name].shape[3] - 1) // 2 for name in upsampling]
    # A convolution, its norm and ReLU come before the residual blocks, a convolution after.
    blocks = _layers(state, resnet) - 3
    network = WaveRNN(
        upsample_scales=scales,
        n_classes=state["fc3.weight"].shape[0],
        hop_length=math.prod(scales),
        n_res_block=blocks,
        n_rnn=state["fc.weight"].shape[0],
        n_fc=state["fc1.weight"].shape[0],
        kernel_size=kernel,
        n_freq=bands,
        n_hidden=hidden,
        n_output=state[f"{resnet}{3 + blocks}.weight"].shape[0],
    )
    network.load_state_dict(dict(state))
    return network


def _layers(state: State, prefix: str) -> int:
    """Count the layers with weights under ``prefix``."""
    return len(
        {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    )


def _load(name: str, weights: Path, build: Callable[[State], Network]) -> Network:
    path = _file(name, weights)
    try:
        return build(torch.load(path, map_location="cpu", weights_only=True))
    except _DAMAGED as error:
        raise UserError(
            f"weights {path.name!r}",
            got=f"what does not load ({gist(error)})",
            expected=f"the network {name}",
            fix=f"remove {path.name} from the folder of archives, then run "
            "`dvc repro --force download`",
        ) from error


def _file(name: str, weights: Path) -> Path:
    listed = weights / LISTED
    known = json.loads(listed.read_text("utf-8")) if listed.is_file() else {}
    file = str(known[name]["file"]) if name in known else None
    if file is None or not (weights / file).is_file():
        raise UserError(
            f"weights of {name}",
            got=f"no {file or 'such network'} in {str(weights)!r}",
            expected="its file, which the stage download verifies and puts there",
            fix="run `dvc repro download`",
        )
    return weights / file
