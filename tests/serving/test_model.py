"""A model draws what the stage `sample` draws, and nothing depends on its neighbours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from s2igan.corpora.index import write_corpus
from s2igan.engine.pictures import Picture
from s2igan.engine.session import plain_session
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.rdg import artifact as rdg_artifact
from s2igan.rdg.sample import sample
from s2igan.sen import artifact as sen_artifact
from s2igan.sen import build
from s2igan.sen.build import build_encoder
from s2igan.sen.char_cnn_rnn import CharCnnRnn
from s2igan.sen.speech_encoder import SpeechEncoder
from s2igan.serving import model as module
from s2igan.serving import networks
from s2igan.serving.model import Floats, SpeechToImage
from s2igan.serving.recording import Recording
from s2igan.speech.audio import from_pcm, to_pcm
from s2igan.speech.config import MelConfig
from s2igan.speech.features import write_mel
from s2igan.speech.shards import Spoken, shard_path, write_shard
from tests.rdg.makers import corpus_tables, sample_config
from tests.serving.makers import MEL, RATE, babble, write_model, write_pipeline

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SpeechToImage:
    return SpeechToImage.load(write_model(tmp_path_factory.mktemp("model") / "rdg"), CPU)


def said(seed: int, seconds: float = 1.5) -> Recording:
    return Recording(from_pcm(to_pcm(babble(seed, seconds))), RATE)


def test_files_are_named_as_the_pipeline_names_them() -> None:
    assert networks.FILES == (
        rdg_artifact.DESCRIPTION,
        rdg_artifact.WEIGHTS,
        sen_artifact.DESCRIPTION,
        sen_artifact.SPEECH_WEIGHTS,
    )


def test_a_test_utterance_gives_the_picture_of_the_stage_sample(tmp_path: Path) -> None:
    images, descriptions = corpus_tables()
    corpus, speech, features = (tmp_path / name for name in ("corpus", "speech", "features"))
    write_corpus(
        corpus, images, [b"-"] * len(images), descriptions, info={"kind": "test", "edition": "test"}
    )
    recordings = [said(row, 0.8 + 0.1 * row) for row in range(len(descriptions))]
    speech.mkdir()
    write_shard(
        shard_path(speech, 0),
        (Spoken(row, "v", 170, 50, to_pcm(one.samples)) for row, one in enumerate(recordings)),
        RATE,
    )
    features.mkdir()
    config = MelConfig.model_validate({k: v for k, v in MEL.items() if k != "sample_rate_hz"})
    write_mel(config, corpus=corpus, speech=speech, out=features, workers=1)
    rdg, out = write_model(tmp_path / "rdg"), tmp_path / "samples"
    chosen = sample_config()
    session = plain_session()
    sample(chosen, corpus=corpus, features=features, rdg=rdg, out=out, session=session)

    model = SpeechToImage.load(rdg, CPU)
    drawn = np.load(out / "images.npy").astype(int)
    rows = pq.read_table(out / "samples.parquet").to_pylist()
    assert {row["set"] for row in rows} >= {"test", "swap_changed", "draws"}
    for row, picture in list(zip(rows, drawn, strict=True))[::4]:
        embedded = model.embed([recordings[row["utterance"]]])
        ours = model.draw(embedded, count=row["noise"] + 1, seed=chosen.seed)[0, row["noise"]]
        assert np.abs(ours - picture).max() <= 1
        assert (ours == picture).mean() > 0.99


def test_neighbours_change_nothing(model: SpeechToImage) -> None:
    recordings = [said(0), said(1, 0.6), said(2, 2.5)]
    together = model.embed(recordings)
    alone = np.concatenate([model.embed([one]) for one in recordings])
    np.testing.assert_array_equal(together, alone)
    pictures = model.draw(together, count=3, seed=4)
    assert pictures.shape == (3, 3, model.image_size, model.image_size, 3)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures[1:2, :2], model.draw(alone[1:2], count=2, seed=4))


def test_embeddings_have_unit_length_and_tell_utterances_apart(model: SpeechToImage) -> None:
    one, other = model.embed([said(0), said(1)])
    np.testing.assert_allclose(np.linalg.norm([one, other], axis=1), 1, rtol=1e-6)
    assert not np.allclose(one, other)


def test_seed_and_truncation_choose_the_noise(model: SpeechToImage) -> None:
    embeddings = model.embed([said(0)])

    def spread(**settings: float) -> float:
        pictures = model.draw(embeddings, count=16, **settings)  # type: ignore[arg-type]
        return float(pictures.std(axis=1).mean())

    one, again, other = (model.draw(embeddings, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert spread(truncation=0.3) < 0.7 * spread()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"count": 0}, "1 to 64"),
        ({"count": 10**6}, "1 to 64"),
        ({"seed": -1}, "0 to 9223372036854775807"),
        ({"truncation": 0.0}, r"at least 0\.05"),
    ],
)
def test_settings_that_make_no_sense_are_told(
    model: SpeechToImage, settings: dict[str, float], expected: str
) -> None:
    with pytest.raises(UserError, match=f"; expected {expected}$"):
        model.draw(model.embed([said(0)]), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["one", "others", "many"])
def test_embeddings_of_another_shape_are_told(model: SpeechToImage, shape: str) -> None:
    embeddings = model.embed([said(0)])
    given = {"one": embeddings[0], "others": embeddings[:, :-1], "many": embeddings[None]}[shape]
    with pytest.raises(UserError, match=r"embeddings; got shape .*; expected \(N, "):
        model.draw(given)


@pytest.mark.parametrize(
    ("value", "length"), [(np.nan, "nan"), (np.inf, "inf"), (0.0, "0")], ids=["NaN", "inf", "zeros"]
)
def test_an_embedding_without_a_direction_is_told(
    model: SpeechToImage, value: float, length: str
) -> None:
    embeddings = model.embed([said(0), said(1)])
    embeddings[1] = value
    expected = f"^embedding 1; got a length of {length}; expected finite values, not all of them 0$"
    with pytest.raises(UserError, match=expected):
        model.draw(embeddings)


def test_an_embedding_counts_by_its_direction(
    model: SpeechToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = model.embed([said(0), said(1)])
    between = embeddings.sum(axis=0, keepdims=True)
    given: list[Floats] = []

    def noted(_generator: object, embedding: Floats, *_: object, **__: object) -> list[Picture]:
        given.append(embedding)
        return [np.zeros((model.image_size, model.image_size, 3), np.uint8)]

    monkeypatch.setattr(module, "draw", noted)
    model.draw(np.concatenate([embeddings, between, 10 * embeddings]))
    np.testing.assert_array_equal(np.concatenate(given[:2]), embeddings)  # to the last bit
    np.testing.assert_allclose(given[2], between / np.linalg.norm(between), rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(given[3:]), embeddings, rtol=1e-6)


def test_a_folder_may_be_named_by_a_string(model: SpeechToImage, tmp_path: Path) -> None:
    named = SpeechToImage.load(str(write_model(tmp_path / "rdg")), CPU)
    assert named.image_size == model.image_size


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="s2igan export"):
        SpeechToImage.load(tmp_path, CPU)


@pytest.mark.parametrize("name", networks.FILES)
def test_a_broken_file_is_told(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "rdg")
    (folder / name).write_bytes((folder / name).read_bytes()[:-100])
    with pytest.raises(UserError, match="that fit each other"):
        SpeechToImage.load(folder, CPU)


def test_sizes_that_no_memory_holds_are_told_by_the_weights(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.GENERATOR).read_text())
    description["generator"]["gf"] = 4 * 10**6
    (folder / networks.GENERATOR).write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"got size mismatch for first\.linear\.weight"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize("mel", [None, 3, {"bands": 20}])
def test_a_front_end_that_is_missing_or_no_front_end_is_told(tmp_path: Path, mel: object) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.ENCODER).read_text())
    del description["mel"]
    changed = description if mel is None else {**description, "mel": mel}
    (folder / networks.ENCODER).write_text(json.dumps(changed))
    with pytest.raises(UserError, match=r"sen\.json"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize("lost", ["window", "hop_ms", "log_floor", "normalise"])
def test_no_value_of_the_front_end_is_guessed(tmp_path: Path, lost: str) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.ENCODER).read_text())
    del description["mel"][lost]
    (folder / networks.ENCODER).write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"got mel that is no front end of train_sen in sen\.json"):
        SpeechToImage.load(folder, CPU)


def test_a_front_end_that_the_encoder_did_not_learn_with_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.ENCODER).read_text())
    description["mel"]["bands"] = 21
    (folder / networks.ENCODER).write_text(json.dumps(description))
    with pytest.raises(UserError, match="got 21 mel bands for an encoder that takes 20;"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"gru_layers": 10**30}, "got gru_layers is 1"),
        ({"activation": "gelu"}, "got activation is 'gelu', expected none or relu"),
    ],
)
def test_an_encoder_of_another_kind_is_told(
    tmp_path: Path, changes: dict[str, object], got: str
) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.ENCODER).read_text())
    description["speech_encoder"] |= changes
    (folder / networks.ENCODER).write_text(json.dumps(description))
    with pytest.raises(UserError, match=f"^model .*{got}.* that fit each other"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize("name", [networks.ENCODER, networks.GENERATOR, "card.json"])
def test_json_too_deep_to_be_read_is_told(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "rdg")
    (folder / name).write_text("[" * 200_000)
    with pytest.raises(UserError, match=r"got .* while decoding a JSON array"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize(
    "card", [[], None, {"corpus": "cub"}, {"figures": 3}, {"figures": {"retrieval": [1]}}]
)
def test_a_card_of_another_shape_is_told(tmp_path: Path, card: object) -> None:
    folder = write_model(tmp_path / "rdg")
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match=r"card\.json.*got .*; expected an object"):
        SpeechToImage.load(folder, CPU)


@pytest.mark.parametrize(
    "tts",
    [{"engine": "recorded"}, {"engine": "recorded", "recordings": {}}, {"pitch": {"low": 3}}],
)
def test_a_card_that_lacks_a_setting_is_told(tmp_path: Path, tts: object) -> None:
    folder = write_model(tmp_path / "rdg")
    (folder / "card.json").write_text(json.dumps({"tts": tts}))
    with pytest.raises(UserError, match=r"^card of .*; got what cannot be told .*export"):
        SpeechToImage.load(folder, CPU)


def test_the_encoder_of_another_model_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "rdg")
    description = json.loads((folder / networks.ENCODER).read_text())
    description["speech_encoder"]["embedding_dim"] += 1
    encoder = build_encoder(description)
    write_weights(folder / networks.ENCODER_WEIGHTS, encoder.state_dict())
    (folder / networks.ENCODER).write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"numbers for a generator that takes .*fit each other"):
        SpeechToImage.load(folder, CPU)


def test_figures_of_a_pipeline_that_are_none_are_told(tmp_path: Path) -> None:
    root = write_pipeline(tmp_path)
    (root / "metrics" / "retrieval.json").write_text("[0.5]")
    with pytest.raises(UserError, match=r"retrieval\.json'; got a JSON list"):
        SpeechToImage.load(root / "artifacts" / "rdg", CPU)


def test_an_encoder_of_text_cannot_listen(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "rdg")
    encoder = CharCnnRnn(channels=[4], hidden=4, embedding_dim=6)
    write_weights(folder / networks.ENCODER_WEIGHTS, encoder.state_dict())
    description = {"encoder": "char_cnn_rnn", "speech_encoder": encoder.sizes, "mel": MEL}
    (folder / networks.ENCODER).write_text(json.dumps(description))
    with pytest.raises(UserError, match="listens to speech"):
        SpeechToImage.load(folder, CPU)


def test_an_encoder_that_computes_a_part_of_itself_as_it_is_built_is_spoken_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Weighed(SpeechEncoder):
        weights: Tensor

        def __init__(self, **sizes: Any) -> None:
            super().__init__(**sizes)
            weights = torch.linspace(0.5, 2, sizes["embedding_dim"])
            self.register_buffer("weights", weights, persistent=False)

        def describe(self, sequences: Tensor, lengths: Tensor) -> Tensor:
            return self.weights * super().describe(sequences, lengths)

    folder = write_model(tmp_path / "rdg")
    plain = SpeechToImage.load(folder, CPU).embed([said(0)])
    monkeypatch.setattr(build, "ENCODERS", {"sed": Weighed})
    weighed = SpeechToImage.load(folder, CPU).embed([said(0)])
    expected = plain * np.linspace(0.5, 2, plain.shape[1], dtype=np.float32)
    np.testing.assert_allclose(
        weighed, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6
    )
