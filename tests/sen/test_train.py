"""Training on a synthetic corpus."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from s2igan.engine.adam import Adam
from s2igan.engine.arrays import Ragged, open_array
from s2igan.engine.divergence import DivergedError
from s2igan.engine.session import Session, plain_session
from s2igan.engine.tables import write_json
from s2igan.engine.tracking import Tracker
from s2igan.errors import UserError
from s2igan.metrics.retrieval import rank, ranked_average_precisions
from s2igan.sen import validation
from s2igan.sen.artifact import load_image_encoder, load_speech_encoder, read_description
from s2igan.sen.batches import Augmentation
from s2igan.sen.config import SenConfig
from s2igan.sen.data import SenData
from s2igan.sen.losses import SenObjective, same_class_mask
from s2igan.sen.train import SenTraining, train_sen
from s2igan.sen.validation import validation_map

from .synthetic import sen_config, write_synthetic

# A rate so high that validation is best some steps before the last.
WAVERING: dict[str, Any] = {
    "steps": 24,
    "val_every_steps": 4,
    "lr": 0.05,
    "schedule": "step",
    "warmup_steps": 0,
}


def train(
    config: SenConfig, inputs: Path, out: Path, session: Session | None = None
) -> dict[str, bytes]:
    """Run the stage and return the bytes of what it wrote."""
    train_sen(
        config,
        corpus=inputs / "corpus",
        features=inputs / "features",
        out=out / "sen",
        curves=out / "curves.tsv",
        session=session or plain_session(),
    )
    files = [*sorted((out / "sen").iterdir()), out / "curves.tsv"]
    return {file.name: file.read_bytes() for file in files}


class MemoryStore:
    """A checkpoint store that interrupts the run after ``saves`` checkpoints."""

    def __init__(self, path: Path, saves: int) -> None:
        self.path, self.saves = path, saves

    def load(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        torch.save(state, self.path)
        self.saves -= 1
        if self.saves == 0:
            raise KeyboardInterrupt

    def clear(self) -> None:
        self.path.unlink()


def session_with(store: MemoryStore) -> Session:
    return Session(torch.device("cpu"), 1, Tracker(), store, progress=False)  # type: ignore[arg-type]


def test_two_runs_write_the_same_bytes(inputs: Path, tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    first = train(sen_config(), inputs, tmp_path / "a")
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(1)
    assert train(sen_config(), inputs, tmp_path / "b") == first
    assert train(sen_config(seed=6), inputs, tmp_path / "c") != first


@pytest.mark.parametrize("keep", ["last", "best_val", "best_test_as_published"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    inputs: Path, tmp_path: Path, taken: list[int], keep: str
) -> None:
    rough = {"time_masks": 1, "time_mask_frames": 5, "frame_noise": 0.5, "feature_noise": 0.1}
    config = sen_config(keep=keep, val_every_steps=2, **rough)
    whole = train(config, inputs, tmp_path / "whole")
    store = MemoryStore(tmp_path / "state.pt", saves=1)  # stops at step 5 of 12, between two rows
    with pytest.raises(KeyboardInterrupt):
        train(config, inputs, tmp_path / "resumed", session_with(store))
    assert not (tmp_path / "resumed").exists()
    taken.clear()
    assert train(config, inputs, tmp_path / "resumed", session_with(store)) == whole
    assert taken == list(range(6, 13))


@pytest.mark.usefixtures("emulated_bfloat16")
def test_products_are_as_precise_as_the_parameters_say(inputs: Path, tmp_path: Path) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        train(sen_config(steps=1, precision=precision), inputs, tmp_path)
        losses.append(float(pd.read_csv(tmp_path / "curves.tsv", sep="\t")["loss"].iloc[0]))
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.05)


def test_one_batch_is_learnt_by_heart(inputs: Path) -> None:
    config = sen_config(steps=120, batch=12, lr=1e-2, warmup_steps=0, val_every_steps=1000)
    training = SenTraining(config, SenData(inputs / "corpus", inputs / "features"), plain_session())
    batch = training.placed(training.stream[0])
    training.stream = [batch] * config.steps  # type: ignore[assignment]
    training.fit()
    speech = training.model.speech_encoder(batch.frames, batch.lengths)
    image = training.model.image_encoder(batch.features)
    losses = training.model.objective(speech, image, batch.labels)
    assert losses["matching"] < 0.05
    assert isinstance(training.model.objective, SenObjective)
    classes = training.model.objective.classifier
    assert classes is not None
    assert (classes(speech).argmax(dim=1) == batch.labels).all()
    assert (classes(image).argmax(dim=1) == batch.labels).all()


def test_unseen_combinations_are_found(inputs: Path, tmp_path: Path) -> None:
    train(sen_config(steps=60, batch=32, val_every_steps=20), inputs, tmp_path)
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t")
    assert list(curves) == ["step", "loss", "matching", "distinctive", "lr", "val_mAP"]
    assert curves["step"].tolist() == list(range(4, 61, 4))
    assert curves["loss"].iloc[-1] < curves["loss"].iloc[0] - 1
    watched = curves.dropna()
    assert watched["step"].tolist() == [20, 40, 60]
    assert watched["val_mAP"].iloc[-1] > 0.75  # three classes: a guess is about 0.5


def poison(inputs: Path, folder: Path, splits: list[str], value: float = 9.0) -> None:
    """Copy ``inputs`` and make every feature of ``splits`` one value."""
    write_synthetic(folder)
    data = SenData(inputs / "corpus", inputs / "features")
    mel, table = Ragged(folder / "features", "mel"), data.corpus.descriptions
    values = np.load(folder / "features" / "mel.npy")
    for utterance in np.flatnonzero(table["split"].isin(splits)):
        values[mel.offsets[utterance] : mel.offsets[utterance + 1]] = value
    np.save(folder / "features" / "mel.npy", values)
    features = np.array(open_array(folder / "features" / "backbone.npy"))
    features[data.corpus.images["split"].isin(splits)] = value
    np.save(folder / "features" / "backbone.npy", features)


def test_validation_classes_choose_but_do_not_teach(inputs: Path, tmp_path: Path) -> None:
    config = sen_config(keep="best_val", **WAVERING)
    train(config, inputs, tmp_path)
    kept = read_description(tmp_path / "sen")["training"]["kept_step"]
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t").set_index("step")
    assert kept == curves["val_mAP"].idxmax() != config.steps
    poison(inputs, tmp_path / "poisoned", ["val"])
    last = train(sen_config(), inputs, tmp_path / "last")
    blind = train(sen_config(), tmp_path / "poisoned", tmp_path / "blind")
    name = "speech_encoder.safetensors"
    assert blind[name] == last[name]


def test_no_figure_is_made_of_what_is_not_finite(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(inputs, tmp_path / "poisoned", ["val"], np.nan)
    with pytest.raises(UserError, match="features; got some that are not finite") as caught:
        train(sen_config(), tmp_path / "poisoned", tmp_path / "out")
    assert not isinstance(caught.value, DivergedError)
    data = SenData(inputs / "corpus", inputs / "features")
    training = SenTraining(sen_config(keep="best_val"), data, plain_session())
    with monkeypatch.context() as patch:
        patch.setattr(validation, "encode_speech", lambda *_, **__: [(slice(None), np.nan)])
        with pytest.raises(DivergedError, match="figure 'val_mAP' of SEN at step 0; got nan"):
            training._watch()
    with torch.no_grad():
        next(training.model.image_encoder.parameters())[0] = torch.nan
    with pytest.raises(DivergedError, match=r"state model\.image_encoder\.project\.\w+ at step 0"):
        training._watch()


def test_the_weights_of_the_best_step_are_kept(inputs: Path) -> None:
    config = sen_config(keep="best_val", **WAVERING)
    data = SenData(inputs / "corpus", inputs / "features")
    training = SenTraining(config, data, plain_session())
    training.fit()
    watched = [row["val_mAP"] for row in training.curves.rows if "val_mAP" in row]
    assert max(watched) > watched[-1]
    kept = validation_map(data, training.model, device=torch.device("cpu"), precision="float32")
    assert kept == pytest.approx(max(watched), rel=1e-6)


def test_watching_changes_no_weight(inputs: Path, tmp_path: Path) -> None:
    often, once = (
        train(sen_config(steps=4, val_every_steps=every), inputs, tmp_path / str(every))
        for every in (2, 1000)
    )
    for name in ("speech_encoder.safetensors", "image_encoder.safetensors"):
        assert often[name] == once[name]


def test_rows_of_the_curves_are_means_over_their_steps(inputs: Path, tmp_path: Path) -> None:
    curves = []
    for every in (1, 5):
        config = sen_config(log_every_steps=every, val_every_steps=1000)
        train(config, inputs, tmp_path / str(every))
        curves.append(pd.read_csv(tmp_path / str(every) / "curves.tsv", sep="\t"))
    fine, coarse = curves
    for name in ("loss", "matching", "distinctive"):
        parts = np.split(fine[name].to_numpy(), [5, 10])  # the last is of two steps
        means = [part.mean() for part in parts]
        np.testing.assert_allclose(coarse[name], means, rtol=1e-4)
    warmup, steps = config.warmup_steps, config.steps
    turn = np.pi * np.arange(steps - warmup) / (steps - warmup)
    shares = [*((np.arange(warmup) + 1) / warmup), *((1 + np.cos(turn)) / 2)]
    np.testing.assert_allclose(fine["lr"], config.lr * np.array(shares), rtol=1e-4)


def test_validation_searches_val_pictures_in_their_first_view(inputs: Path) -> None:
    data = SenData(inputs / "corpus", inputs / "features")
    model = SenTraining(sen_config(), data, plain_session()).model.eval()
    captions = data.captions("val")
    pictures = np.flatnonzero(data.corpus.images["split"] == "val")
    with torch.no_grad():
        speech = [
            model.speech_encoder(
                torch.from_numpy(np.array(data.sequences[row], np.float32))[None],
                torch.tensor([len(data.sequences[row])]),
            )[0].numpy()
            for row in captions.utterances.tolist()
        ]
        image = model.image_encoder(torch.from_numpy(data.backbone[pictures, 0])).numpy()
    relevant = captions.classes[:, None] == data.image_classes[pictures]
    order = rank(np.stack(speech) @ image.T)
    expected = ranked_average_precisions(np.take_along_axis(relevant, order, axis=1)).mean()
    found = validation_map(data, model, device=torch.device("cpu"), precision="float32")
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("objective", ["joint", "teacher_student"])
def test_pairs_are_roughened_as_the_parameters_say(inputs: Path, objective: str) -> None:
    masks = {"time_masks": 1, "time_mask_frames": 5, "band_masks": 2, "band_mask_bands": 3}
    speech = masks | {"frame_noise": 0.5}
    rough = {"feature_noise": 0.25, "feature_dropout": 0.125}
    config = sen_config(objective=objective, **speech, **rough)
    training = SenTraining(config, SenData(inputs / "corpus", inputs / "features"), plain_session())
    kept = rough if objective == "joint" else {}  # a teacher's word stays as it is
    assert training.stream.augmentation == Augmentation(**speech, **kept)  # type: ignore[arg-type]


def test_what_is_written_is_what_was_trained(inputs: Path, tmp_path: Path) -> None:
    train(sen_config(), inputs, tmp_path)
    description = read_description(tmp_path / "sen")
    assert description["mel"] == {"bands": 8, "hop_ms": 10.0}
    assert description["training"]["classes"] == 10
    assert description["training"]["utterances"] == 120
    assert load_speech_encoder(tmp_path / "sen").sizes == description["speech_encoder"]
    assert load_image_encoder(tmp_path / "sen").sizes == {"feature_dim": 16, "embedding_dim": 24}


def test_an_ablation_changes_the_result(inputs: Path, tmp_path: Path) -> None:
    train(sen_config(distinctive_loss=False), inputs, tmp_path)
    curves = pd.read_csv(tmp_path / "curves.tsv", sep="\t")
    assert list(curves) == ["step", "loss", "matching", "lr", "val_mAP"]
    assert (curves["loss"] == curves["matching"]).all()


@pytest.fixture(scope="module")
def classless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures without classes."""
    folder = tmp_path_factory.mktemp("classless")
    write_synthetic(folder, has_classes=False)
    return folder


def test_without_classes_the_distinctive_loss_is_off_and_says_so(
    inputs: Path, classless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(sen_config(), inputs, tmp_path / "with")
    assert "classes" not in capsys.readouterr().err
    assert read_description(tmp_path / "with" / "sen")["training"]["distinctive"] is True
    train(sen_config(), classless, tmp_path / "without")
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "no classes; the distinctive loss" in line] == said
    assert len(said) == 1
    summary = read_description(tmp_path / "without" / "sen")["training"]
    assert summary["distinctive"] is False
    assert "classes" not in summary
    assert summary["pictures"] == 40
    curves = pd.read_csv(tmp_path / "without" / "curves.tsv", sep="\t")
    assert list(curves) == ["step", "loss", "matching", "lr", "val_mAP"]


def test_without_classes_other_pictures_of_a_batch_are_not_masked(
    inputs: Path, classless: Path
) -> None:
    grouped, single = (
        SenTraining(
            sen_config(batch=32), SenData(folder / "corpus", folder / "features"), plain_session()
        ).stream[0]
        for folder in (inputs, classless)
    )
    assert torch.equal(grouped.frames, single.frames)  # the same pairs, four pictures per class
    assert torch.equal(grouped.labels, single.labels // 4)
    mask = same_class_mask(single.labels)
    siblings = ~same_class_mask(grouped.labels) & (single.labels[:, None] != single.labels[None, :])
    assert siblings.any()
    assert mask[siblings].all()


def test_without_classes_the_matching_loss_is_all_there_is(classless: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sen\.matching_loss; got false.*no classes"):
        train(sen_config(matching_loss=False), classless, tmp_path)
    assert not (tmp_path / "sen").exists()


def test_without_classes_validation_asks_for_the_very_picture(
    inputs: Path, classless: Path, tmp_path: Path
) -> None:
    config = sen_config(keep="best_val", distinctive_loss=False)
    scores = []
    for folder in (inputs, classless):
        train(config, folder, tmp_path / folder.name)
        curves = pd.read_csv(tmp_path / folder.name / "curves.tsv", sep="\t")
        scores.append(curves["val_mAP"].dropna().iloc[-1])
    assert scores[1] < scores[0]  # one picture of twelve is relevant, and not four


def test_a_run_that_diverges_says_so(inputs: Path, tmp_path: Path) -> None:
    config = sen_config(lr=1e30, schedule="step", warmup_steps=0)
    with pytest.raises(UserError, match="loss 'matching' of SEN at step"):
        train(config, inputs, tmp_path)
    assert not (tmp_path / "sen").exists()


def test_features_of_another_corpus_are_refused(inputs: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "other", images_per_class=2)
    with pytest.raises(UserError, match=r"rows of 'backbone\.npy'; got 32, not 64"):
        SenData(inputs / "corpus", tmp_path / "other" / "features")


def test_a_front_end_that_does_not_tell_its_bands_is_refused(tmp_path: Path) -> None:
    write_synthetic(tmp_path)
    write_json(tmp_path / "features" / "mel.json", {})
    with pytest.raises(UserError, match=r"mel\.json'; got no int 'bands'"):
        SenData(tmp_path / "corpus", tmp_path / "features")


def test_a_diverged_run_stops_before_it_is_saved(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(tmp_path / "state.pt", saves=0)
    config = sen_config(steps=9, checkpoint_every_steps=3, log_every_steps=7)
    training = SenTraining(
        config, SenData(inputs / "corpus", inputs / "features"), session_with(store)
    )
    monkeypatch.setattr(Adam, "step", lambda *_: _spoil(training))
    with pytest.raises(UserError, match="loss 'matching' of SEN at step 3; got nan"):
        training.fit()
    assert store.load() is None


def _spoil(training: SenTraining) -> None:
    with torch.no_grad():
        for parameter in training.model.parameters():
            parameter.fill_(torch.nan)
