from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.pictures import decode_picture
from s2igan.engine.session import Session, plain_session
from s2igan.engine.tables import write_json
from s2igan.engine.tracking import Tracker
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError
from s2igan.rdg import train as stage
from s2igan.rdg.artifact import load_generator
from s2igan.rdg.batches import Batch, TrainingPictures
from s2igan.rdg.calibration import calibrated
from s2igan.rdg.draw import to_uint8
from s2igan.rdg.generator import Generator
from s2igan.rdg.monitor import TrainingGrid, main_losses
from s2igan.rdg.networks import to_scales
from s2igan.rdg.speech_source import EmbeddedSpeech
from s2igan.rdg.train import train_rdg
from s2igan.sen.origin import write_origin
from s2igan.vision.device_pixels import DevicePixels
from s2igan.vision.pixels import PackedPixels
from tests.rdg.makers import CAPTIONS, corpus_tables, rdg_config, small_generator, write_inputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


def train(
    inputs: dict[str, Path], root: Path, session: Session | None = None, **changes: Any
) -> Path:
    train_rdg(
        rdg_config(**changes),
        **inputs,
        out=root / "rdg",
        curves=root / "curves.tsv",
        grid=root / "grid.png",
        session=session or plain_session(),
    )
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_training_writes_everything_and_reads_only_training_rows(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    # Embeddings outside of the split train are NaN: touching one would stop the training.
    root = train(inputs, tmp_path)
    assert {p.name for p in (root / "rdg").iterdir()} == {
        "generator.safetensors",
        "rdg.json",
        "sen.json",
        "speech_encoder.safetensors",
    }
    generator = load_generator(root / "rdg")
    assert generator.sizes == (8, 16, 32)
    assert not any(module.training for module in generator.modules())
    assert all(torch.isfinite(value).all() for value in generator.state_dict().values())
    lines = [line.split("\t") for line in (root / "curves.tsv").read_text().splitlines()]
    assert lines[0][0] == "step"
    assert [line[0] for line in lines[1:]] == ["2", "4", "6"]
    assert {"D_8", "D_32_real_accuracy", "D_32_fake_accuracy", "G_16", "KL"} <= set(lines[0])
    # A row of real pictures, then two of drawn ones, three columns.
    grid = decode_picture((root / "grid.png").read_bytes(), "grid")
    assert grid.shape == (3 * 32 + 2 * 2, 3 * 32 + 2 * 2, 3)


def test_two_runs_give_the_same_bytes(inputs: dict[str, Path], tmp_path: Path) -> None:
    first = contents(train(inputs, tmp_path / "a"))
    second = contents(train(inputs, tmp_path / "b"))
    assert first == second
    other = contents(train(inputs, tmp_path / "c", seed=4))
    assert other["rdg/generator.safetensors"] != first["rdg/generator.safetensors"]


@pytest.mark.parametrize("on_device", [False, True])
def test_the_grid_shows_what_its_captions_describe(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_device: bool
) -> None:
    pixels = PackedPixels(inputs["features"])
    if on_device:  # as pictures of 256 px lie in a GPU's memory
        held = DevicePixels(pixels, torch.device("cpu"))
        monkeypatch.setattr(stage, "open_pixels", lambda *_: held)
    config, shown = rdg_config(), list[tuple[torch.Tensor, ...]]()
    draw = Generator.forward

    def seen(self: Generator, *given: torch.Tensor) -> Any:
        if not torch.is_grad_enabled() and len(given[0]) == config.grid_columns:
            shown.append(given)
        return draw(self, *given)

    monkeypatch.setattr(Generator, "forward", seen)
    root = train(inputs, tmp_path)
    images, _ = corpus_tables()
    in_class_order = images[images["split"] == "train"].sort_values("class_id", kind="stable").index
    chosen = in_class_order.to_numpy()[[0, 2, 4]]
    grid = decode_picture((root / "grid.png").read_bytes(), "grid")
    squares = torch.from_numpy(pixels.crops(chosen, config.crop, None))
    real = to_uint8(to_scales(squares, (8, 16, 32))[-1])
    for column, picture in enumerate(real):
        np.testing.assert_array_equal(grid[:32, 34 * column : 34 * column + 32], picture)
    speech, noise, condition_noise = shown[0]
    embeddings = np.load(inputs["embeddings"] / "speech.npy")
    np.testing.assert_array_equal(speech.numpy(), embeddings[chosen * CAPTIONS])
    assert len(np.unique(noise.numpy(), axis=0)) == config.grid_columns
    assert len(np.unique(condition_noise.numpy(), axis=0)) == config.grid_columns


@pytest.mark.parametrize("standardise", [True, False])
def test_speech_is_standardised_where_it_is_asked_for(
    inputs: dict[str, Path], tmp_path: Path, standardise: bool
) -> None:
    root = train(inputs, tmp_path, steps=1, standardise_speech=standardise)
    conditioning = load_generator(root / "rdg").conditioning
    captions = TrainingPictures(*corpus_tables()).captions
    rows = np.load(inputs["embeddings"] / "speech.npy")[captions].astype(np.float64)
    mean, deviation = rows.mean(axis=0), np.sqrt(np.square(rows - rows.mean(axis=0)).mean())
    expected = (mean, 1 / deviation) if standardise else (np.zeros_like(mean), 1.0)
    np.testing.assert_allclose(conditioning.mean, expected[0], atol=1e-6)
    assert float(conditioning.scale) == pytest.approx(expected[1], rel=1e-5)


def first_batch(inputs: dict[str, Path], **changes: Any) -> Batch:
    return stage.open_stream(
        rdg_config(**changes),
        TrainingPictures(*corpus_tables()),
        EmbeddedSpeech(np.load(inputs["embeddings"] / "speech.npy")),
        inputs["features"],
        inputs["embeddings"],
    )[0]


def test_batches_have_the_seed_and_size_of_the_parameters(inputs: dict[str, Path]) -> None:
    assert [len(first_batch(inputs, batch_size=size).labels) for size in (3, 5)] == [3, 5]
    first, again, other = (first_batch(inputs, seed=seed).noise for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("wanted", ["none", "pictures", "speech"])
def test_a_batch_holds_the_wrong_pairs_that_are_asked_for(
    inputs: dict[str, Path], wanted: str
) -> None:
    batch = first_batch(inputs, wrong_pairs=wanted)
    assert (batch.wrong is not None) == (wanted == "pictures")
    assert (batch.wrong_speech is not None) == (wanted == "speech")


def test_the_average_over_the_steps_is_kept(inputs: dict[str, Path], tmp_path: Path) -> None:
    kept = [
        load_generator(train(inputs, tmp_path / name, steps=1, lr_g=1e-2, ema_decay=decay) / "rdg")
        for name, decay in (("live", 0.0), ("average", 0.9))
    ]
    live, average = (generator.state_dict()["to_image.0.conv.weight"] for generator in kept)
    assert not torch.allclose(live, average, atol=1e-4)


def test_rows_of_the_grid_end_with_the_last_step() -> None:
    real = np.zeros((2, 4, 4, 3), np.uint8)
    assert TrainingGrid(real, steps=10, rows=3).at == {4, 7, 10}


class StopsAt(Tracker):
    """Interrupts the training as soon as ``step`` is logged."""

    def __init__(self, step: int) -> None:
        self.step = step

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if step == self.step and values:
            raise KeyboardInterrupt


def test_a_resumed_run_equals_an_uninterrupted_one(
    inputs: dict[str, Path], tmp_path: Path, taken: list[int]
) -> None:
    options: dict[str, Any] = {"log_every": 3, "checkpoint_every": 2, "augment": ["cutout"]}
    whole = contents(train(inputs, tmp_path / "whole", **options))
    store = CheckpointStore(tmp_path / "checkpoint")
    session = plain_session()
    interrupted = Session(session.device, 1, StopsAt(6), store, progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(inputs, tmp_path / "resumed", interrupted, **options)
    saved = store.load()
    assert saved is not None
    assert saved["step"] == 4
    assert not (tmp_path / "resumed").exists()
    taken.clear()
    resumed = Session(session.device, 1, Tracker(), store, progress=False)
    assert contents(train(inputs, tmp_path / "resumed", resumed, **options)) == whole
    assert taken == [5, 6]


def test_a_lonely_picture_needs_a_second_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write_inputs(tmp_path)
    seen = np.load(inputs["embeddings"] / "image.npy")
    np.save(inputs["embeddings"] / "image.npy", seen[:, :1])
    with pytest.raises(UserError, match=r"features\.views; got 1; expected at least 2, since 1 "):
        train(inputs, tmp_path, use_rs=True)
    assert not (tmp_path / "rdg").exists()
    train(inputs, tmp_path, use_rs=False, steps=1)  # without the supervisor nothing compares views
    np.save(inputs["embeddings"] / "image.npy", seen[:, :2])
    monkeypatch.setattr(
        stage,
        "load_image_embedding",
        lambda *_: lambda images: images.mean(dim=(2, 3)).repeat(1, 2),
    )
    train(inputs, tmp_path, use_rs=True, steps=1)


def test_inputs_of_two_runs_are_refused_before_the_training(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    whole = {name: np.load(inputs["embeddings"] / name) for name in ("speech.npy", "image.npy")}
    for name, told in (("speech.npy", "not 22 as in"), ("image.npy", "as in the corpus")):
        np.save(inputs["embeddings"] / name, whole[name][1:])
        with pytest.raises(UserError, match=f"rows of '{name}'; .*{told}"):
            train(inputs, tmp_path)
        np.save(inputs["embeddings"] / name, whole[name][..., 1:])
        with pytest.raises(UserError, match=r"numbers as in SEN; .* `dvc repro embed`"):
            train(inputs, tmp_path)
        np.save(inputs["embeddings"] / name, whole[name][None])
        with pytest.raises(UserError, match=rf"{name}'; got an array .*, not one of . axes"):
            train(inputs, tmp_path)
        np.save(inputs["embeddings"] / name, whole[name].astype(np.float64))
        with pytest.raises(UserError, match=rf"{name}'; got values of float64, not of float32"):
            train(inputs, tmp_path)
        np.save(inputs["embeddings"] / name, whole[name])
    write_json(inputs["features"] / "mel.json", {"bands": 99})
    with pytest.raises(UserError, match=r"front end .*mel\.json'; got another than that of"):
        train(inputs, tmp_path, speech_encoder="untrained", matching_weight=0.0)


@pytest.mark.parametrize("encoder", ["speech_encoder", "image_encoder"])
def test_embeddings_by_other_weights_of_the_same_sizes_are_refused(
    tmp_path: Path, encoder: str
) -> None:
    inputs = write_inputs(tmp_path)
    write_weights(inputs["sen"] / "image_encoder.safetensors", {"weight": torch.zeros(1)})
    write_origin(inputs["embeddings"], inputs["sen"])
    train(inputs, tmp_path, steps=1)
    weights = inputs["sen"] / f"{encoder}.safetensors"
    write_weights(weights, {name: value + 1 for name, value in load_file(weights).items()})
    said = rf"got some by other weights than those of '.*{encoder}.*'; .* `dvc repro embed`"
    with pytest.raises(UserError, match=said):
        train(inputs, tmp_path)
    write_json(inputs["embeddings"] / "embeddings.json", {})
    with pytest.raises(UserError, match=r"embeddings\.json'; got no dict 'made_by'"):
        train(inputs, tmp_path)


def test_the_main_losses_are_those_of_the_largest_pictures() -> None:
    names = ("D_8", "D_16", "D_16_real_accuracy", "G_8", "G_16", "KL")
    row = {name: 0.5 * number for number, name in enumerate(names)}
    assert main_losses({"step": 1, **row}) == "D_16 0.5, G_16 2, KL 2.5"


def test_calibration_measures_the_statistics_of_its_inputs() -> None:
    generator = small_generator()
    drawn = torch.Generator().manual_seed(0)
    first, second, third = (torch.randn(64, dim, generator=drawn) for dim in (6, 4, 5))
    batch = first, second, third
    generator.train()(5 * first, second, third)  # statistics that are to be forgotten
    measured = calibrated(
        generator, [batch, batch], device=torch.device("cpu"), precision="float32"
    )
    with torch.no_grad():
        # On that very batch, stored statistics equal the batch's own up to n / (n - 1).
        live = generator.train()(*batch).images[-1]
        stored = measured(*batch).images[-1]
        untouched = generator.eval()(*batch).images[-1]
    assert float((stored - live).abs().mean()) < 0.01
    assert float((untouched - live).abs().mean()) > 0.1
    assert not measured.training
    norms = [layer for layer in measured.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert {layer.momentum for layer in norms} == {0.1}
    with pytest.raises(ValueError, match="`inputs` holds no batch"):
        calibrated(generator, [], device=torch.device("cpu"), precision="float32")
