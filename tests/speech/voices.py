"""Networks of random weights in the published format, small enough for tests."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchaudio.models import Tacotron2, WaveRNN

from s2igan.speech.normalisation import ALPHABET
from s2igan.speech.vocoders import BANDS

FILES = {
    "tacotron2/ljspeech": "tacotron2_english_characters_1500_epochs_wavernn_ljspeech.pth",
    "tacotron2/ljspeech-griffinlim": "tacotron2_english_characters_1500_epochs_ljspeech.pth",
    "wavernn/ljspeech": "wavernn_10k_epochs_8bits_ljspeech.pth",
}


def small_tacotron2(frames: int) -> Tacotron2:
    """A Tacotron2 that ends every sentence after ``frames`` frames.

    Random weights never emit a stop token. So one unit of the decoder counts: its cell adds the
    same at every frame, and the stop token looks at nothing else.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = Tacotron2(
            n_symbol=len(ALPHABET),
            n_mels=BANDS,
            symbol_embedding_dim=8,
            encoder_embedding_dim=8,
            encoder_n_convolution=2,
            encoder_kernel_size=3,
            decoder_rnn_dim=12,
            attention_rnn_dim=10,
            attention_hidden_dim=6,
            attention_location_n_filter=4,
            attention_location_kernel_size=7,
            prenet_dim=16,
            postnet_n_convolution=3,
            postnet_kernel_size=3,
            postnet_embedding_dim=8,
        )
    units, step = 12, 0.01
    rnn = network.decoder.decoder_rnn
    with torch.no_grad():
        gates = torch.arange(4) * units  # its row among input, forget, cell and output gates
        for weights in (rnn.weight_ih, rnn.weight_hh):
            weights[gates] = 0
        rnn.bias_hh[gates] = 0
        rnn.bias_ih[gates] = torch.tensor([100.0, 100.0, math.atanh(step), 100.0])
        gate = network.decoder.gate_layer
        gate.weight.zero_()
        gate.weight[0, 0] = 1e4
        gate.bias.fill_(-1e4 * math.tanh((frames - 0.5) * step))
    return network


def small_wavernn() -> WaveRNN:
    """A WaveRNN with a hop of 12 samples."""
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return WaveRNN(
            upsample_scales=[2, 2, 3],
            n_classes=256,
            hop_length=12,
            n_res_block=2,
            n_rnn=16,
            n_fc=14,
            kernel_size=5,
            n_freq=BANDS,
            n_hidden=10,
            n_output=8,
        )


def write_weights(folder: Path, networks: Mapping[str, Mapping[str, Tensor]]) -> Path:
    """Write states as the stage ``download`` leaves them, with the list of the stage ``tts``."""
    folder.mkdir(exist_ok=True)
    for name, state in networks.items():
        torch.save(state, folder / FILES[name])
    listed = {name: {"file": FILES[name], "checksum": name} for name in networks}
    (folder / "tts.json").write_text(json.dumps(listed))
    return folder
