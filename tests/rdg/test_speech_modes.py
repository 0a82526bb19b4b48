from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from s2igan.engine.arrays import Ragged
from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.session import Session, plain_session
from s2igan.engine.tracking import Tracker
from s2igan.rdg import train as stage
from s2igan.rdg import utterances
from s2igan.rdg.batches import Batch, BatchStream, TrainingPictures
from s2igan.rdg.learning_encoder import embed_sequences
from s2igan.rdg.speech_modes import LearningSpeech, SpeechMode, UntrainedSpeech, open_speech
from s2igan.rdg.speech_source import EmbeddedSpeech, Sequences, SpokenSpeech
from s2igan.rdg.training import RdgTraining
from s2igan.sen.artifact import load_speech_encoder, read_description, seeded_speech_encoder
from s2igan.sen.batches import pad_frames
from s2igan.sen.encode import encode_speech
from s2igan.sen.encoder import DescriptionEncoder
from tests.correctness.plain_adam import moved, watch_gradients
from tests.rdg.makers import corpus_tables, rdg_config, unconditioned, write_inputs
from tests.rdg.test_train import StopsAt, contents, train

CPU = torch.device("cpu")
MODES = ["untrained", "end_to_end"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = write_inputs(tmp_path_factory.mktemp("inputs"))
    # Neither SEN's trained weights nor its embeddings of speech are read.
    (paths["embeddings"] / "speech.npy").unlink()
    (paths["sen"] / "speech_encoder.safetensors").unlink()
    return paths


@pytest.fixture
def pictures() -> TrainingPictures:
    return TrainingPictures(*corpus_tables())


def speech_of(inputs: dict[str, Path], mode: str, **changes: Any) -> SpeechMode:
    return open_speech(
        rdg_config(speech_encoder=mode, **changes),
        TrainingPictures(*corpus_tables()).captions,
        features=inputs["features"],
        embeddings=inputs["embeddings"],
        sen=inputs["sen"],
        folder=inputs["features"].parent,
        device=CPU,
    )


def stream_of(inputs: dict[str, Path], mode: str, **changes: Any) -> BatchStream:
    config = rdg_config(speech_encoder=mode, **changes)
    return stage.open_stream(
        config,
        TrainingPictures(*corpus_tables()),
        speech_of(inputs, mode, **changes).source,
        inputs["features"],
        inputs["embeddings"],
    )


def encoded(encoder: DescriptionEncoder, features: Path, utterances: Any) -> Any:
    """Embed utterances one by one."""
    mel = Ragged(features, "mel")
    found = [
        next(
            encode_speech(
                encoder,
                mel,
                np.array([utterance]),
                frames_per_batch=1000,
                device=CPU,
                precision="float32",
            )
        )[1]
        for utterance in utterances
    ]
    return np.concatenate(found)


def test_untrained_embeddings_are_those_of_the_encoder_that_is_kept(
    inputs: dict[str, Path], pictures: TrainingPictures, tmp_path: Path
) -> None:
    mode = speech_of(inputs, "untrained")
    assert isinstance(mode.source, EmbeddedSpeech)
    mode.write(tmp_path)
    kept = load_speech_encoder(tmp_path)
    told = read_description(inputs["sen"])
    del told["training"]  # of weights that are not kept
    assert read_description(tmp_path) == told
    rows = mode.source(pictures.captions)
    np.testing.assert_allclose(
        rows, encoded(kept, inputs["features"], pictures.captions), atol=1e-6
    )
    others = np.setdiff1d(np.arange(len(mode.source.embeddings)), pictures.captions)
    assert not mode.source.embeddings[others].any()


def test_untrained_weights_are_the_seeded_ones_and_batch_norms_know_training_speech(
    inputs: dict[str, Path], pictures: TrainingPictures, tmp_path: Path
) -> None:
    mode = speech_of(inputs, "untrained")
    mode.write(tmp_path)
    kept, seeded = load_speech_encoder(tmp_path), seeded_speech_encoder(inputs["sen"])
    for name, value in seeded.named_parameters():
        assert torch.equal(kept.get_parameter(name), value)
    assert_measured(kept, inputs["features"], pictures)


def assert_measured(encoder: nn.Module, features: Path, pictures: TrainingPictures) -> None:
    """Compare the first batch norm with what the encoder makes of training captions."""
    convolution, norm = encoder.get_submodule("convolutions.0"), encoder.get_submodule("norms.0")
    assert isinstance(norm, nn.BatchNorm1d)
    mel = Ragged(features, "mel")
    with torch.no_grad():
        outputs = torch.cat(
            [
                convolution(torch.from_numpy(mel[int(row)].astype(np.float32)).T)
                for row in pictures.captions
            ],
            dim=1,
        )
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean, outputs.mean(dim=1))
    torch.testing.assert_close(norm.running_var, outputs.var(dim=1))


def test_captions_that_batch_norms_are_measured_by_are_drawn(
    inputs: dict[str, Path], pictures: TrainingPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utterances, "_CALIBRATION_BATCHES", 2)
    monkeypatch.setattr(utterances, "_CALIBRATION_BATCH", 3)
    read: list[int] = []

    def noted(sequences: Ragged, rows: Any) -> Any:
        read.extend(rows.tolist())
        return pad_frames(sequences, rows)

    monkeypatch.setattr(utterances, "pad_frames", noted)
    drawn = set()
    for seed in range(4):
        read.clear()
        speech_of(inputs, "end_to_end", seed=seed)
        assert len(set(read)) == len(read) == 6
        assert set(read) < set(pictures.captions.tolist())
        drawn.add(frozenset(read))
    assert len(drawn) > 1


def test_modes_begin_alike_and_draw_the_same_captions(inputs: dict[str, Path]) -> None:
    # Whatever the mode, a batch differs in nothing but the form of its speech.
    options: dict[str, Any] = {"embedding_mix": 0.5, "batch_size": 6}
    learning = speech_of(inputs, "end_to_end")
    assert isinstance(learning, LearningSpeech)
    frozen = stream_of(inputs, "untrained", **options)
    live = stream_of(inputs, "end_to_end", **options)
    for step in range(4):
        one, other = frozen[step], live[step]
        for name, value in vars(one).items():
            if "speech" not in name and value is not None:
                np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)
        for name in ("speech", "wrong_speech"):
            sequences = getattr(other, name)
            assert isinstance(sequences, Sequences)
            with torch.no_grad():
                embedded = embed_sequences(learning.encoder, sequences)
            np.testing.assert_allclose(embedded.numpy(), getattr(one, name), atol=1e-5)
    mean, deviation = learning.statistics()
    expected = speech_of(inputs, "untrained").statistics()
    np.testing.assert_allclose(mean, expected[0], atol=1e-6)
    assert deviation == pytest.approx(expected[1])


def test_second_captions_are_read_only_where_they_are_mixed_in(inputs: dict[str, Path]) -> None:
    batch = stream_of(inputs, "end_to_end", embedding_mix=0.5, batch_size=6)[0]
    assert isinstance(batch.speech, Sequences)
    assert batch.speech.shares is not None
    mixed = int((batch.speech.shares > 0).sum())
    assert 0 < mixed < 6
    assert len(batch.speech.values) == 6 + mixed
    assert len(stream_of(inputs, "end_to_end")[0].speech.values) == 4  # type: ignore[union-attr]


def test_both_mixed_captions_get_a_gradient(inputs: dict[str, Path]) -> None:
    encoder = seeded_speech_encoder(inputs["sen"])
    batch = stream_of(inputs, "end_to_end", embedding_mix=1.0)[0]
    assert isinstance(batch.speech, Sequences)
    embeddings: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        embeddings.append(output)

    encoder.register_forward_hook(keep)
    mixed = embed_sequences(encoder, batch.speech)
    torch.testing.assert_close(mixed.norm(dim=1), torch.ones(4))
    (gradient,) = torch.autograd.grad(mixed[:, 0].sum(), embeddings)
    assert gradient.shape[0] == 8
    assert (gradient.abs().sum(dim=1) > 0).all()


def test_speech_of_another_class_is_read_only_where_it_is_wanted(inputs: dict[str, Path]) -> None:
    wanted = stream_of(inputs, "end_to_end", wrong_pairs="speech")[0]
    unwanted = stream_of(inputs, "end_to_end", wrong_pairs="none")[0]
    assert wanted.wrong_speech is not None
    assert unwanted.wrong_speech is None
    np.testing.assert_array_equal(wanted.noise, unwanted.noise)


def training_of(inputs: dict[str, Path], mode: str, **changes: Any) -> RdgTraining:
    config = rdg_config(speech_encoder=mode, **changes)
    speech = speech_of(inputs, mode, **changes)
    pictures = TrainingPictures(*corpus_tables())
    stream = stage.open_stream(
        config, pictures, speech.source, inputs["features"], inputs["embeddings"]
    )
    return RdgTraining(config, stream, speech, None, plain_session())


def weights_of(encoder: nn.Module) -> list[torch.Tensor]:
    return [value.detach().clone() for value in encoder.parameters()]


def test_a_learning_encoder_follows_the_generators_loss_alone(inputs: dict[str, Path]) -> None:
    training = training_of(inputs, "end_to_end", wrong_pairs="speech")
    learning = training.update.learning
    assert learning is not None
    seeded = weights_of(seeded_speech_encoder(inputs["sen"]))
    for now, was in zip(weights_of(learning.encoder), seeded, strict=True):
        assert torch.equal(now, was)
    norm = learning.encoder.get_submodule("norms.0")
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    statistics = norm.running_mean.clone()
    training.update(0, training.stream[0])
    assert not torch.equal(norm.running_mean, statistics)  # batches have their own
    moved = weights_of(learning.encoder)
    changed = [not torch.equal(now, was) for now, was in zip(moved, seeded, strict=True)]
    # A bias before a batch norm has no say.
    assert sum(changed) >= len(changed) - 2
    for average, now, was in zip(weights_of(learning.averaged), moved, seeded, strict=True):
        torch.testing.assert_close(average, 0.9 * was + 0.1 * now)

    # Where neither generator nor discriminators heed the speech, nothing reaches the encoder.
    deaf = training_of(inputs, "end_to_end", wrong_pairs="speech", kl_weight=0.0)
    assert deaf.update.learning is not None
    nn.init.zeros_(deaf.update.generator.first.linear.weight)
    for later in deaf.update.generator.later:
        nn.init.zeros_(later.joint.weight)  # type: ignore[arg-type,union-attr]
    for judge in deaf.update.discriminators:
        judge.joint.register_forward_pre_hook(unconditioned)
    deaf.update(0, deaf.stream[0])
    for now, was in zip(weights_of(deaf.update.learning.encoder), seeded, strict=True):
        torch.testing.assert_close(now, was, rtol=0, atol=0)


def test_a_learning_encoder_carries_no_gradient_on(inputs: dict[str, Path]) -> None:
    plain, burdened = (training_of(inputs, "end_to_end", lr_g=1e-2) for _ in range(2))
    assert plain.update.learning is not None
    assert burdened.update.learning is not None
    for parameter in burdened.update.learning.encoder.parameters():
        parameter.grad = torch.ones_like(parameter)
    for training in (plain, burdened):
        training.update(0, training.stream[0])
    encoders = plain.update.learning.encoder, burdened.update.learning.encoder
    for expected, found in zip(*map(weights_of, encoders), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_average_of_a_learning_encoder_is_kept(
    inputs: dict[str, Path], pictures: TrainingPictures
) -> None:
    training = training_of(inputs, "end_to_end", lr_g=1e-2)
    training.update(0, training.stream[0])
    learning, kept = training.update.learning, training.averaged().encoder
    assert learning is not None
    assert kept is not None
    live = weights_of(learning.encoder)
    pairs = zip(weights_of(kept), weights_of(learning.averaged), strict=True)
    assert all(torch.equal(now, average) for now, average in pairs)
    assert not all(torch.equal(*pair) for pair in zip(weights_of(kept), live, strict=True))
    assert_measured(kept, inputs["features"], pictures)


def test_a_learning_encoder_follows_adams_formula(inputs: dict[str, Path]) -> None:
    rate, betas = 3e-3, [0.3, 0.9]
    training = training_of(inputs, "end_to_end", lr_g=rate, betas=betas)
    learning = training.update.learning
    assert learning is not None
    before = [value.double() for value in weights_of(learning.encoder)]
    gradients = watch_gradients(learning._adam)
    for step in range(3):
        training.update(step, training.stream[step])
    for old, parameter in zip(before, learning.encoder.parameters(), strict=True):
        expected = moved(old, gradients[parameter], [rate] * 3, betas)
        found = parameter.detach().double()
        torch.testing.assert_close(found, expected, atol=rate * 2e-2, rtol=0)


def test_the_generators_batch_norms_are_measured_by_the_first_batches(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = training_of(inputs, "untrained")
    read: list[int] = []
    batch_of = BatchStream.__getitem__

    def noted(stream: BatchStream, step: int) -> Batch:
        read.append(step)
        return batch_of(stream, step)

    monkeypatch.setattr(BatchStream, "__getitem__", noted)
    training.averaged()
    assert read == list(range(16))


def test_frozen_modes_have_nothing_that_learns(inputs: dict[str, Path]) -> None:
    training = training_of(inputs, "untrained")
    assert training.update.learning is None
    assert training.averaged().encoder is None
    assert "encoder" not in training.update.state_dict()
    mode = training.speech
    assert isinstance(mode, UntrainedSpeech)
    before = mode.encoder.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    training.update(0, training.stream[0])
    for name, value in mode.encoder.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("mode", MODES)
def test_the_encoder_that_is_kept_is_the_one_that_the_generator_heard(
    inputs: dict[str, Path], tmp_path: Path, mode: str
) -> None:
    root = train(inputs, tmp_path, speech_encoder=mode, lr_g=1e-2)
    kept = weights_of(load_speech_encoder(root / "rdg"))
    seeded = weights_of(seeded_speech_encoder(inputs["sen"]))
    same = [torch.equal(now, was) for now, was in zip(kept, seeded, strict=True)]
    assert all(same) == (mode == "untrained")
    assert not list(inputs["features"].parent.glob("tmp*"))


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_run_equals_an_uninterrupted_one(
    inputs: dict[str, Path], tmp_path: Path, taken: list[int], mode: str
) -> None:
    options: dict[str, Any] = {
        "log_every": 3,
        "checkpoint_every": 2,
        "speech_encoder": mode,
        "embedding_mix": 0.5,
        "standardise_speech": True,
    }
    whole = contents(train(inputs, tmp_path / "whole", **options))
    store = CheckpointStore(tmp_path / "checkpoint")
    interrupted = Session(CPU, 1, StopsAt(6), store, progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(inputs, tmp_path / "resumed", interrupted, **options)
    assert store.load() is not None
    taken.clear()
    resumed = Session(CPU, 1, Tracker(), store, progress=False)
    assert contents(train(inputs, tmp_path / "resumed", resumed, **options)) == whole
    assert taken == [5, 6]


def test_learning_speech_is_read_from_the_features(inputs: dict[str, Path]) -> None:
    source = speech_of(inputs, "end_to_end").source
    assert isinstance(source, SpokenSpeech)
    mel = Ragged(inputs["features"], "mel")
    read = source(np.array([3, 0]))
    for row, utterance in enumerate((3, 0)):
        length = len(mel[utterance])
        assert read.lengths[row] == length
        np.testing.assert_array_equal(read.values[row, :length], mel[utterance])
        assert not read.values[row, length:].any()


def test_a_step_refuses_captions_that_it_would_not_learn_from(inputs: dict[str, Path]) -> None:
    learning, frozen = (training_of(inputs, mode) for mode in ("end_to_end", "untrained"))
    with pytest.raises(ValueError, match="embeddings, of which the encoder cannot learn"):
        learning.update(0, frozen.stream[0])
    with pytest.raises(ValueError, match="speech to be embedded, and no encoder learns"):
        frozen.update(0, learning.stream[0])
