import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.models import Tacotron2, WaveRNN
from torchaudio.pipelines import TACOTRON2_WAVERNN_CHAR_LJSPEECH as BUNDLE

from s2igan.corpora.weights import SPEAKERS
from s2igan.errors import UserError
from s2igan.speech.config import Tacotron2Config
from s2igan.speech.tacotron2 import NETWORKS, WAVERNN, load_narrator, tacotron2_of, wavernn_of
from tests.speech.voices import FILES, small_tacotron2, small_wavernn, write_weights

CPU = torch.device("cpu")


def _config(vocoder: str, precision: str = "float32") -> Tacotron2Config:
    return Tacotron2Config.model_validate(
        {"vocoder": vocoder, "batch": 4, "max_frames": 100, "precision": precision}
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    voice = small_tacotron2(30).state_dict()
    return write_weights(
        tmp_path / "weights",
        {
            "tacotron2/ljspeech": voice,
            "tacotron2/ljspeech-griffinlim": voice,
            "wavernn/ljspeech": small_wavernn().state_dict(),
        },
    )


def test_the_published_tacotron2_is_built_from_the_shapes_of_its_weights() -> None:
    published = BUNDLE._tacotron2_params
    built = tacotron2_of(Tacotron2(**published).state_dict())
    assert built.mask_padding == published["mask_padding"]
    assert built.n_frames_per_step == published["n_frames_per_step"]
    assert built.decoder.gate_threshold == published["gate_threshold"]
    assert built.decoder.decoder_early_stopping == published["decoder_early_stopping"]


def test_the_published_wavernn_is_built_from_the_shapes_of_its_weights() -> None:
    published = BUNDLE._wavernn_params
    built = wavernn_of(WaveRNN(**published).state_dict())
    assert built.hop_length == published["hop_length"]
    assert built.kernel_size == published["kernel_size"]
    assert built.n_classes == published["n_classes"]


def test_the_stage_download_brings_what_each_vocoder_needs() -> None:
    assert {
        "griffinlim": [NETWORKS["griffinlim"]],
        "wavernn": [NETWORKS["wavernn"], WAVERNN],
    } == SPEAKERS


def test_file_names_are_those_that_torchaudio_publishes() -> None:
    assert FILES["tacotron2/ljspeech"] == BUNDLE._tacotron2_path
    assert FILES["wavernn/ljspeech"] == BUNDLE._wavernn_path


@pytest.mark.usefixtures("emulated_bfloat16")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("vocoder", "samples"), [("griffinlim", 256 * 29), ("wavernn", 12 * 30)])
def test_speaks_with_the_weights_of_a_folder(
    weights: Path, vocoder: str, samples: int, precision: str
) -> None:
    narrator = load_narrator(_config(vocoder, precision), weights, CPU)
    for heard in narrator(["a red bird.", "blue."], 1):
        assert isinstance(heard, np.ndarray)
        assert heard.dtype == np.float32
        assert heard.shape == (samples,)
        assert np.isfinite(heard).all()
        assert 0 < np.abs(heard).max() <= 1


def _without_the_file(folder: Path) -> None:
    (folder / FILES["tacotron2/ljspeech"]).unlink()


def _without_the_vocoder(folder: Path) -> None:
    listed = json.loads((folder / "tts.json").read_text())
    del listed["wavernn/ljspeech"]
    (folder / "tts.json").write_text(json.dumps(listed))


def _without_the_list(folder: Path) -> None:
    (folder / "tts.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_the_file, r"weights of tacotron2/ljspeech; got no tacotron2_english.*\.pth in"),
        (_without_the_vocoder, r"weights of wavernn/ljspeech; got no such network in"),
        (_without_the_list, r"weights of tacotron2/ljspeech; got no such network in"),
    ],
)
def test_missing_weights_send_to_the_stage_download(
    weights: Path, change: Callable[[Path], None], message: str
) -> None:
    change(weights)
    with pytest.raises(UserError, match=rf"{message} .*run `dvc repro download`") as caught:
        load_narrator(_config("wavernn"), weights, CPU)
    assert "\n" not in str(caught.value)


def test_what_is_no_network_is_told(weights: Path) -> None:
    path = weights / FILES["tacotron2/ljspeech"]
    torch.save(small_wavernn().state_dict(), path)
    with pytest.raises(UserError, match=r"pth'; got what does not load .KeyError: .*embedding"):
        load_narrator(_config("wavernn"), weights, CPU)
    path.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(UserError) as told:
        load_narrator(_config("wavernn"), weights, CPU)
    assert str(told.value) == (
        f"weights {path.name!r}; "
        "got what does not load (UnpicklingError: Weights only load failed); "
        "expected the network tacotron2/ljspeech; "
        f"remove {path.name} from the folder of archives, then run `dvc repro --force download`"
    )


def test_nothing_is_unpickled(weights: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save({"embedding.weight": Trap()}, weights / FILES["tacotron2/ljspeech"])
    with pytest.raises(UserError, match="UnpicklingError"):
        load_narrator(_config("wavernn"), weights, CPU)
    assert not (tmp_path / "sprung").exists()


def test_a_network_of_another_alphabet_is_told(weights: Path) -> None:
    phonemes = Tacotron2(n_symbol=96, symbol_embedding_dim=8, encoder_embedding_dim=8)
    torch.save(phonemes.state_dict(), weights / FILES["tacotron2/ljspeech"])
    with pytest.raises(UserError, match="96 symbols and 80 bands"):
        load_narrator(_config("wavernn"), weights, CPU)
