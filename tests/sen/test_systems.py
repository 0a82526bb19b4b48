"""Training with every encoder and objective, and what is chosen on test classes."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from s2igan.engine.arrays import Ragged, RaggedWriter
from s2igan.engine.session import plain_session
from s2igan.errors import UserError
from s2igan.sen.artifact import (
    load_image_encoder,
    load_speech_encoder,
    read_description,
    seeded_speech_encoder,
)
from s2igan.sen.build import ENCODERS
from s2igan.sen.config import SenConfig
from s2igan.sen.data import SenData
from s2igan.sen.embed import embed
from s2igan.sen.encode import encode_speech
from s2igan.sen.train import SenTraining

from .synthetic import FEATURE_DIM, embed_config, sen_config, write_synthetic
from .test_train import poison, train

OBJECTIVES = ("joint", "teacher_student")
AS_PUBLISHED = "best_test_as_published"


@pytest.mark.parametrize(("encoder", "objective"), list(itertools.product(ENCODERS, OBJECTIVES)))
def test_any_encoder_learns_with_any_objective(
    inputs: Path, tmp_path: Path, encoder: str, objective: str
) -> None:
    train(sen_config(encoder=encoder, objective=objective, steps=32), inputs, tmp_path)
    sen = tmp_path / "sen"
    description, size = read_description(sen), FEATURE_DIM if objective != "joint" else 24
    reads = ENCODERS[encoder].reads
    expected = {
        "encoder": encoder,
        "objective": objective,
        "reads": reads,
        "seed": 5,
        "backbones": ["looks"],
    }
    assert {key: description[key] for key in expected} == expected
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t")
    assert curves["loss"].iloc[-1] < curves["loss"].iloc[0]
    model, before = load_speech_encoder(sen), seeded_speech_encoder(sen)
    assert (model.embedding_dim, model.reads, model.sizes) == (size, reads, before.sizes)
    assert load_image_encoder(sen).embedding_dim == size
    changed = [
        not torch.equal(weight, old)
        for weight, old in zip(model.parameters(), before.parameters(), strict=True)
    ]
    assert all(changed)
    sequences = Ragged(inputs / "features", model.reads)
    ((rows, embedded),) = encode_speech(
        model,
        sequences,
        np.array([7, 0, 192]),
        frames_per_batch=10_000,
        device=torch.device("cpu"),
        precision="float32",
    )
    assert sorted(rows) == [0, 1, 2]
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_seeded_encoder_is_the_one_that_training_began_with(
    inputs: Path, tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded_gpus: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded_gpus.append)
    config = sen_config(encoder=encoder, steps=1)
    data = SenData(inputs / "corpus", inputs / "features", ENCODERS[encoder].reads)
    began = SenTraining(config, data, plain_session()).model.speech_encoder.state_dict()
    train(config, inputs, tmp_path)
    state = torch.random.get_rng_state()
    seeded = seeded_speech_encoder(tmp_path / "sen")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not seeded_gpus
    assert not seeded.training
    assert all(torch.equal(value, began[name]) for name, value in seeded.state_dict().items())


def test_a_student_is_compared_before_it_is_scaled(inputs: Path) -> None:
    data = SenData(inputs / "corpus", inputs / "features")
    training = SenTraining(sen_config(objective="teacher_student"), data, plain_session())
    batch = training.placed(training.stream[0])
    encoder = training.model.eval().speech_encoder
    with torch.no_grad():
        student, teacher = training.model.compared(batch)
        torch.testing.assert_close(student, encoder.describe(batch.frames, batch.lengths))
        scaled = student / student.norm(dim=1, keepdim=True)
        torch.testing.assert_close(scaled, encoder(batch.frames, batch.lengths))
    assert not torch.allclose(scaled, student, rtol=0.1)
    assert torch.equal(teacher, batch.features)


def test_after_teacher_student_pictures_are_their_own_features(
    inputs: Path, tmp_path: Path
) -> None:
    noisy = sen_config(objective="teacher_student", feature_noise=0.5, feature_dropout=0.5)
    assert (
        train(noisy, inputs, tmp_path / "noisy")["speech_encoder.safetensors"]
        == (
            train(sen_config(objective="teacher_student"), inputs, tmp_path)[
                "speech_encoder.safetensors"
            ]
        )
    )  # a teacher's features are not roughened
    encoder = load_image_encoder(tmp_path / "sen")
    assert load_file(tmp_path / "sen" / "image_encoder.safetensors") == {}
    features = torch.randn(3, 2, FEATURE_DIM, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(features), features / features.norm(dim=-1, keepdim=True))
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t")
    assert list(curves) == [
        "step",
        "loss",
        "joint_embedding",
        "l1",
        "distillation",
        "lr",
        "val_mAP",
    ]


def test_a_text_encoder_needs_a_text_for_every_description(tmp_path: Path) -> None:
    write_synthetic(tmp_path)
    with RaggedWriter(tmp_path / "features", "characters", np.uint8) as writer:
        for utterance in range(193):
            writer.append(b"" if utterance < 2 else b"a bird")
    with pytest.raises(UserError, match=r"char_cnn_rnn.*2 of 193 descriptions without text"):
        train(sen_config(encoder="char_cnn_rnn"), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "sen").exists()


def test_masks_of_speech_leave_a_text_as_it_is(inputs: Path, tmp_path: Path) -> None:
    plain = train(sen_config(encoder="char_cnn_rnn"), inputs, tmp_path / "plain")
    masks = {"time_masks": 2, "time_mask_frames": 9, "band_masks": 2, "band_mask_bands": 3}
    assert train(sen_config(encoder="char_cnn_rnn", **masks), inputs, tmp_path / "b") == plain


ROUGH = {
    "time_masks": 1,
    "time_mask_frames": 6,
    "band_masks": 1,
    "band_mask_bands": 3,
    "frame_noise": 0.5,
    "feature_noise": 0.3,
    "feature_dropout": 0.2,
}
OTHERWISE = {
    "channels": [4, 4],
    "kernel": 3,
    "stride": 1,
    "activation": "relu",
    "gru_hidden": 8,
    "gru_layers": 2,
    "attention_hidden": 4,
    "embedding_dim": 16,
    "matching_loss": False,
    "distinctive_loss": False,
    "distinctive_weight": 3.0,
    "beta": 2.0,
    "reduction": "sum",
    **{name: value + 1 if isinstance(value, int) else 2 * value for name, value in ROUGH.items()},
}


@pytest.mark.parametrize(
    "system",
    [
        {"encoder": "sed", "objective": "joint"},
        {"encoder": "char_cnn_rnn"},
        {"encoder": "conv_blstm"},
        {"objective": "teacher_student"},
    ],
)
def test_a_parameter_counts_where_its_description_says(
    inputs: Path, tmp_path: Path, system: dict[str, Any]
) -> None:
    whole = {"steps": 1, **ROUGH, **system}
    plain = train(sen_config(**whole), inputs, tmp_path)
    for name, value in OTHERWISE.items():
        counts = all(says_used(name, kind, used) for kind, used in system.items())
        changed = train(sen_config(**{**whole, name: value}), inputs, tmp_path)
        assert (changed != plain) == counts, name


def says_used(name: str, kind: str, used: str) -> bool:
    """Whether a description names ``used`` among its users, or none of this kind."""
    said = SenConfig.model_fields[name].description or ""
    users = said.partition(f"used by {kind}")[2].partition(";")[0]
    return not users or used in users


def test_convolutions_that_see_more_than_any_description_has_are_refused(
    inputs: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"sen\.stride; got .* one output sees 187246 frames;"):
        train(sen_config(channels=[4] * 6, stride=8, kernel=6), inputs, tmp_path)
    text = sen_config(encoder="char_cnn_rnn", channels=[4] * 6)
    said = r"^sen\.channels; got .* sees 696 characters; .*; give sen\.channels fewer widths$"
    with pytest.raises(UserError, match=said):
        train(text, inputs, tmp_path)


def test_weights_chosen_on_test_classes_say_so(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sen_config(keep=AS_PUBLISHED, steps=24, val_every_steps=4, lr=2e-2)
    train(config, inputs, tmp_path)
    (said,) = capsys.readouterr().err.splitlines()
    assert "chosen on the test classes" in said
    assert "optimistic" in said
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t").set_index("step")
    summary = read_description(tmp_path / "sen")["training"]
    assert summary["chosen_on"] == "test"
    assert summary["kept_step"] == curves["test_mAP_as_published"].idxmax()
    embed(
        embed_config(),
        corpus=inputs / "corpus",
        features=inputs / "features",
        sen=tmp_path / "sen",
        out=tmp_path / "embeddings",
        metrics=tmp_path / "retrieval.json",
        session=plain_session(),
    )
    figures: dict[str, Any] = json.loads((tmp_path / "retrieval.json").read_text())
    best = curves["test_mAP_as_published"].max()
    assert figures["authors_protocol"]["mAP"]["value"] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("keep", ["last", "best_val"])
def test_no_other_training_reads_test_classes(
    inputs: Path, tmp_path: Path, keep: str, objective: str
) -> None:
    poison(inputs, tmp_path / "poisoned", ["test"])
    config = sen_config(keep=keep, objective=objective)
    clean = train(config, inputs, tmp_path / "a")
    assert train(config, tmp_path / "poisoned", tmp_path / "b") == clean
    chosen = read_description(tmp_path / "a" / "sen")["training"].get("chosen_on")
    assert chosen == {"last": None, "best_val": "val"}[keep]


def test_test_classes_choose_but_do_not_teach(inputs: Path, tmp_path: Path) -> None:
    config = sen_config(keep=AS_PUBLISHED)
    train(config, inputs, tmp_path / "chosen")
    train(sen_config(), inputs, tmp_path / "last")
    columns = ["loss", "matching", "distinctive"]
    chosen, last = (
        pd.read_csv(tmp_path / name / "curves.tsv", sep="\t")[columns]
        for name in ("chosen", "last")
    )
    pd.testing.assert_frame_equal(chosen, last)
