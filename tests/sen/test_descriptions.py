"""Every encoder of descriptions: what changes an embedding, and what must not."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.sen import build
from s2igan.sen.build import ENCODERS
from s2igan.sen.char_cnn_rnn import CharCnnRnn
from s2igan.sen.config import SenConfig
from s2igan.sen.conv_blstm import ConvBlstm
from s2igan.sen.encoder import DescriptionEncoder, Reads
from s2igan.sen.image_encoder import ImageEncoder, StandardisedFeatures
from s2igan.sen.speech_encoder import SpeechEncoder

BANDS = 3
LENGTHS = torch.tensor([171, 40, 120, 66, 128, 97])


def sed(activation: str) -> SpeechEncoder:
    return SpeechEncoder(
        bands=BANDS,
        channels=[4, 5],
        kernel=6,
        stride=2,
        activation=activation,
        gru_hidden=3,
        gru_layers=2,
        attention_hidden=3,
        embedding_dim=4,
    )


MAKERS: dict[str, Callable[[], DescriptionEncoder]] = {
    "sed": lambda: sed("none"),
    "sed_rectified": lambda: sed("relu"),
    "char_cnn_rnn": lambda: CharCnnRnn(channels=[4, 5, 6], hidden=5, embedding_dim=4),
    "conv_blstm": lambda: ConvBlstm(
        bands=BANDS, channels=[3, 4, 5], lstm_hidden=3, embedding_dim=4
    ),
}

every_encoder = pytest.mark.parametrize("name", list(MAKERS))


def make(name: str) -> DescriptionEncoder:
    torch.manual_seed(1)
    return MAKERS[name]().double()


def sequences(name: str, lengths: Tensor = LENGTHS) -> Tensor:
    """Log-mel or letters, zero past the end."""
    generator = torch.Generator().manual_seed(0)
    longest = int(lengths.max())
    mask = torch.arange(longest) < lengths[:, None]
    if name == "char_cnn_rnn":
        return torch.randint(97, 123, mask.shape, generator=generator).double() * mask
    frames = torch.randn(*mask.shape, BANDS, generator=generator, dtype=torch.float64)
    return frames * mask[..., None]


def pad(x: Tensor, more: int) -> Tensor:
    return F.pad(x, (0, 0, 0, more) if x.ndim == 3 else (0, more))


def test_every_encoder_that_parameters_can_name_is_among_them() -> None:
    assert {type(maker()) for maker in MAKERS.values()} == set(ENCODERS.values())
    assert set(get_args(SenConfig.model_fields["encoder"].annotation)) == set(ENCODERS)


class Forgetful(DescriptionEncoder):
    reads: Reads = "mel"

    def __init__(self, **sizes: object) -> None:
        super().__init__(embedding_dim=3)
        if "heads" in sizes:
            self.sizes = {"bands": 3}
        elif "mels" in sizes:
            self.sizes = sizes

    def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        return sequences.sum(dim=1) / lengths[:, None]


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"bands": 3}, "`sizes` of Forgetful are not the arguments that built it"),
        ({"bands": 3, "heads": 4}, "`sizes` of Forgetful are not the arguments that built it"),
        ({"mels": 3}, "Forgetful reads log-mel and has no argument `bands`"),
    ],
    ids=["none", "fewer", "other"],
)
def test_an_encoder_that_could_not_be_built_again_is_told_before_it_trains(
    sizes: dict[str, int], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ENCODERS", {"forgetful": Forgetful})
    with pytest.raises(TypeError, match=told):
        build.build_encoder({"encoder": "forgetful", "speech_encoder": sizes})


@every_encoder
@pytest.mark.parametrize("training", [False, True])
def test_padding_never_changes_an_embedding(name: str, training: bool) -> None:
    model, x = make(name).train(training), sequences(name)
    expected = model(x, LENGTHS)
    for more in (1, 2, 61, 200):
        torch.testing.assert_close(model(pad(x, more), LENGTHS), expected, atol=1e-12, rtol=0)


@every_encoder
def test_padding_never_changes_a_gradient(name: str) -> None:
    gradients = []
    for more in (0, 33):
        model = make(name)
        first = model(pad(sequences(name), more), LENGTHS)[:, 0].sum()
        gradients.append(torch.autograd.grad(first, list(model.parameters())))
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-10, rtol=1e-8)
    assert all(gradient.abs().max() > 0 for gradient in gradients[0][-2:])


@every_encoder
@pytest.mark.parametrize("training", [False, True])
def test_permuting_the_batch_permutes_the_embeddings(name: str, training: bool) -> None:
    model, x = make(name).train(training), sequences(name)
    order = torch.tensor([3, 0, 5, 4, 1, 2])
    got = model(x[order], LENGTHS[order])
    torch.testing.assert_close(got, model(x, LENGTHS)[order], atol=1e-12, rtol=0)


@every_encoder
def test_in_evaluation_a_description_is_embedded_as_if_alone(name: str) -> None:
    model, x = make(name).eval(), sequences(name)
    together = model(x, LENGTHS)
    assert (together[0] - together[1]).abs().max() > 1e-4
    for row, length in enumerate(LENGTHS):
        alone = model(x[row : row + 1, :length], LENGTHS[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-12, rtol=0)


@every_encoder
def test_the_shortest_descriptions_are_embedded(name: str) -> None:
    lengths = torch.tensor([4, 1])
    model, x = make(name).eval(), sequences(name, lengths)
    out = model(x, lengths)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(model(pad(x, 90), lengths), out, atol=1e-12, rtol=0)


@every_encoder
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_those_of_differences(name: str, training: bool) -> None:
    lengths = torch.tensor([70, 40, 85])
    model, x = make(name).train(training), sequences(name, lengths)
    names, values = zip(*model.named_parameters(), strict=True)

    def embed(*parameters: Tensor) -> Tensor:
        return _call(model, dict(zip(names, parameters, strict=True)), x, lengths)

    assert torch.autograd.gradcheck(embed, values, fast_mode=True, atol=1e-5)


def _call(model: nn.Module, parameters: dict[str, Tensor], *inputs: Tensor) -> Tensor:
    out: Tensor = torch.func.functional_call(model, parameters, inputs)
    return out


@pytest.mark.parametrize("encoder", [ImageEncoder(5, 3), StandardisedFeatures(5)])
def test_gradients_to_pictures_are_those_of_differences(
    encoder: ImageEncoder | StandardisedFeatures,
) -> None:
    features = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(encoder.double(), (features,))


def test_the_char_cnn_rnn_is_reeds_over_his_length_of_text() -> None:
    model = CharCnnRnn(channels=[384, 512, 256], hidden=256, embedding_dim=1024)
    assert model.strides == [3, 3, 2]
    assert model.shortest == 66
    frames = 201
    for stride in model.strides:
        frames = (frames - 3 - 3) // stride + 1
    assert frames == 8  # as HybridCNN.lua says beside its layers
    assert model(torch.full((1, 201), 97.0), torch.tensor([201])).shape == (1, 1024)


def test_the_char_cnn_rnn_rectifies_every_layer_and_means_over_time() -> None:
    model = make("char_cnn_rnn")
    assert isinstance(model, CharCnnRnn)
    text = torch.randint(1, 256, (1, 130), generator=torch.Generator().manual_seed(2))
    text[0, 5], text[0, 60:] = 255, 0  # the last letter, and room past the end
    x = torch.zeros(1, 255, 130, dtype=torch.float64)
    for place, letter in enumerate(text[0, :60].tolist()):
        x[0, letter - 1, place] = 1
    for convolution, stride in zip(model.convolutions, (3, 3, 2), strict=True):
        x = F.max_pool1d(convolution(x).clamp(min=0), 3, stride)
    of_input, of_state, input_bias, state_bias = model.recurrent.all_weights[0]
    states = [torch.zeros(5, dtype=torch.float64)]
    for frame in x[0].T:
        driven, held = of_input @ frame + input_bias, of_state @ states[-1] + state_bias
        states.append((driven + held).clamp(min=0))
    lengths = torch.tensor([130])
    expected = model.project(torch.stack(states[1:]).mean(dim=0))
    torch.testing.assert_close(model.describe(text.double(), lengths)[0], expected)


def test_the_conv_blstm_has_the_published_widths() -> None:
    model = ConvBlstm(
        bands=40, channels=[64, 128, 256, 512, 1024], lstm_hidden=512, embedding_dim=1024
    )
    kernels = [(40, 64, 1), (64, 64, 3), (64, 128, 17), (128, 256, 13)]
    kernels += [(256, 256, 3), (256, 512, 9), (512, 512, 3), (512, 1024, 5)]
    expected = sum(a * b * k + 2 * b for a, b, k in kernels)
    expected += 2 * (4 * 512 * (1024 + 512) + 2 * 4 * 512)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    x, lengths = torch.zeros(1, 40, 2048), torch.tensor([2048])
    for convolution in model.convolutions:
        x, lengths = convolution(x, lengths)
    assert x.shape == (1, 1024, 32)
    assert lengths.tolist() == [32]


def test_missing_widths_are_the_last_one_given() -> None:
    model = ConvBlstm(bands=3, channels=[4, 6], lstm_hidden=2, embedding_dim=4)
    widths = [layer.norm.num_features for layer in model.convolutions]  # type: ignore[union-attr]
    assert widths == [4, 4, 6, 6, 6, 6, 6, 6]
