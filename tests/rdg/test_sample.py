import errno
import json
import os
import tempfile
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from s2igan.engine.arrays import Ragged, RaggedWriter
from s2igan.engine.session import plain_session
from s2igan.errors import UserError
from s2igan.rdg.artifact import (
    copy_speech_encoder,
    load_generator,
    save_generator,
    write_speech_encoder,
)
from s2igan.rdg.draw import draw, draw_all, noise_vectors, to_uint8
from s2igan.rdg.generator import Generator
from s2igan.rdg.plan import plan
from s2igan.rdg.sample import sample
from s2igan.rdg.utterances import embed_utterances
from s2igan.sen.artifact import load_speech_encoder, seeded_speech_encoder
from s2igan.sen.batches import pad_frames
from tests.corpora.makers import folder_bytes
from tests.rdg.makers import (
    BANDS,
    EMBEDDING_DIM,
    sample_config,
    small_generator,
    speech_description,
    write_inputs,
)
from tests.rdg.test_plan import descriptions

CPU = torch.device("cpu")


def write_inputs_of_the_stage(root: Path, generator: Generator) -> dict[str, Path]:
    """Inputs below ``root``; with ``rdg``, the generator and SEN's encoder beside it."""
    paths = write_inputs(root) | {"rdg": root / "rdg"}
    paths["rdg"].mkdir()
    save_generator(paths["rdg"], generator)
    copy_speech_encoder(paths["sen"], paths["rdg"])
    return paths


def run_stage(paths: dict[str, Path], out: Path, **changes: Any) -> None:
    sample(
        sample_config(**changes),
        corpus=paths["corpus"],
        features=paths["features"],
        rdg=paths["rdg"],
        out=out,
        session=plain_session(),
    )


def test_noise_belongs_to_its_index() -> None:
    together = noise_vectors(1, [4, 9, 4], 6)
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(noise_vectors(1, [9], 6)[0], together[1])
    assert not np.array_equal(noise_vectors(2, [9], 6)[0], together[1])


def test_noise_is_standard_normal_or_truncated() -> None:
    values = noise_vectors(0, range(200), 100)
    assert abs(float(values.mean())) < 0.03
    assert abs(float(values.std()) - 1) < 0.03
    truncated = noise_vectors(0, range(200), 100, truncation=0.5)
    assert np.abs(truncated).max() <= 0.5
    kept = np.abs(values) <= 0.5
    np.testing.assert_array_equal(truncated[kept], values[kept])


def drawn(
    order: list[int], batch_size: int, ca_noise: bool = True, condition: int = 100
) -> np.ndarray:
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((9, EMBEDDING_DIM)).astype(np.float32)
    batches = draw_all(
        small_generator().eval(),
        embeddings,
        order,
        [100 + utterance for utterance in order],
        [condition + utterance for utterance in order],
        seed=0,
        batch_size=batch_size,
        device=CPU,
        precision="float32",
        ca_noise=ca_noise,
    )
    return np.concatenate(list(batches))


def test_pictures_do_not_depend_on_the_batch_size() -> None:
    order = list(range(9))
    one, several = drawn(order, 1).astype(int), drawn(order, 4).astype(int)
    # Another batch size may round the last bit of a convolution differently.
    assert np.abs(one - several).max() <= 1
    assert (one == several).mean() > 0.99


def test_permuted_utterances_permute_the_pictures() -> None:
    order = np.random.default_rng(3).permutation(9)
    straight, permuted = drawn(list(range(9)), 9), drawn(order.tolist(), 9)
    assert np.abs(straight[order].astype(int) - permuted).max() <= 1
    assert np.abs(straight.astype(int) - permuted).max() > 1


def test_condition_noise_can_be_left_out() -> None:
    for ca_noise in (True, False):
        one, another = (drawn([0, 1], 2, ca_noise, condition) for condition in (100, 200))
        assert np.array_equal(one, another) is not ca_noise


def test_levels_are_rounded_and_clipped() -> None:
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(1, 3, 1, 5)
    assert to_uint8(image)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_generator_survives_the_way_to_disk(tmp_path: Path) -> None:
    generator = small_generator(dense="released")
    save_generator(tmp_path, generator, training={"steps": 1})
    loaded = load_generator(str(tmp_path))
    assert loaded.architecture == generator.architecture
    for name, value in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert not loaded.training


def test_a_generator_that_would_be_loaded_as_another_class_is_not_written(tmp_path: Path) -> None:
    class Own(Generator):
        pass

    with pytest.raises(TypeError, match="Own would be loaded as a Generator: import it under"):
        save_generator(tmp_path, Own(**small_generator().architecture))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_missing_or_foreign_generator_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train_rdg"):
        load_generator(tmp_path)
    save_generator(tmp_path, small_generator())
    (tmp_path / "generator.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="fit each other"):
        load_generator(tmp_path)


def test_the_stage_writes_pictures_and_their_table(tmp_path: Path) -> None:
    paths = write_inputs_of_the_stage(tmp_path, small_generator())
    outs = []
    for name in ("one", "two"):
        run_stage(paths, tmp_path / name, batch_size=4)
        outs.append(folder_bytes(tmp_path / name))
    assert outs[0] == outs[1]
    assert json.loads(outs[0]["samples.json"]) == {
        "split": "test",
        "noise": "per_utterance",
        "ca_noise": True,
        "truncation": None,
        "captions_per_picture": 10,
    }
    table = pq.read_table(tmp_path / "one" / "samples.parquet")
    images = np.load(tmp_path / "one" / "images.npy")
    assert images.shape == (table.num_rows, 32, 32, 3)
    assert images.dtype == np.uint8
    expected = plan(descriptions(), sample_config()).drop(columns="condition_noise")
    assert table.to_pandas().to_dict("list") == expected.to_dict("list")


def test_the_stage_embeds_with_the_encoder_that_lies_beside_the_generator(tmp_path: Path) -> None:
    generator = small_generator()
    paths = write_inputs_of_the_stage(tmp_path, generator)
    encoders = {
        "trained": load_speech_encoder(paths["sen"]),
        "seeded": seeded_speech_encoder(paths["sen"]),
    }
    drawings = {}
    for name, encoder in encoders.items():
        write_speech_encoder(paths["rdg"], encoder, speech_description())
        run_stage(paths, tmp_path / name, batch_size=4)
        table = pq.read_table(tmp_path / name / "samples.parquet").to_pandas()
        images = np.load(tmp_path / name / "images.npy")
        mel = Ragged(paths["features"], "mel")
        frames, lengths = pad_frames(mel, table["utterance"].to_numpy(np.int64))
        with torch.no_grad():
            speech = encoder(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy()
        expected = draw(
            generator.eval(),
            speech,
            noise_vectors(5, table["noise"].tolist(), 9),
            device=CPU,
            precision="float32",
        )
        assert np.abs(images.astype(int) - expected).max() <= 1
        drawings[name] = images
    assert not np.array_equal(drawings["trained"], drawings["seeded"])
    assert {p.name for p in tmp_path.iterdir()} == {*paths, *encoders}


@pytest.mark.usefixtures("emulated_bfloat16")
def test_the_stage_draws_as_its_parameters_say(tmp_path: Path) -> None:
    paths = write_inputs_of_the_stage(tmp_path, small_generator())
    images = []
    for changes in ({}, {"ca_noise": False}, {"truncation": 0.5}, {"precision": "bfloat16"}):
        run_stage(paths, tmp_path / "samples", **changes)
        images.append((tmp_path / "samples" / "images.npy").read_bytes())
    assert len(set(images)) == 4


@pytest.mark.parametrize("noise", ["per_utterance", "per_picture"])
def test_the_stage_draws_z_and_f_ca_by_the_indices_of_the_plan(noise: str, tmp_path: Path) -> None:
    generator = small_generator()
    paths = write_inputs_of_the_stage(tmp_path, generator)
    run_stage(paths, tmp_path / "samples", noise=noise, truncation=1.5)
    rows = plan(descriptions(), sample_config(noise=noise))
    speech = embed_utterances(
        load_speech_encoder(paths["sen"]),
        Ragged(paths["features"], "mel"),
        rows["utterance"].to_numpy(np.int64),
        folder=tmp_path,
        device=CPU,
        name="test",
    )
    vectors = noise_vectors(5, range(len(rows)), 9, truncation=1.5)
    z, condition = vectors[rows["noise"], :4], vectors[rows["condition_noise"], 4:]
    expected = draw(
        generator.eval(),
        speech[rows["utterance"]],
        np.hstack([z, condition]),
        device=CPU,
        precision="float32",
    )
    images = np.load(tmp_path / "samples" / "images.npy")
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_every_utterance_is_embedded_once(tmp_path: Path) -> None:
    paths = write_inputs(tmp_path)
    encoder = load_speech_encoder(paths["sen"])
    seen = 0

    def count(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal seen
        seen += len(inputs[0])

    encoder.register_forward_pre_hook(count)
    embeddings = embed_utterances(
        encoder,
        Ragged(paths["features"], "mel"),
        np.array([7, 3, 7, 3, 9]),
        folder=tmp_path / "scratch",
        device=CPU,
        name="test",
    )
    assert seen == 3
    assert embeddings.shape == (len(descriptions()), EMBEDDING_DIM)
    lengths = np.linalg.norm(embeddings, axis=1)
    np.testing.assert_allclose(lengths[[3, 7, 9]], 1, atol=1e-6)
    assert lengths.sum() == pytest.approx(3)
    assert not list((tmp_path / "scratch").iterdir())


class Full(FileIO):
    """A file on a disk with room for a byte, not for a row."""

    def write(self, data: Any) -> int:
        if len(data) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_disk_that_fills_up_under_embeddings_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def temporary(dir: Path) -> BufferedRandom:
        return BufferedRandom(Full(dir / "file", "w+"))

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    paths = write_inputs(tmp_path)
    with pytest.raises(OSError, match="No space left on device"):
        embed_utterances(
            load_speech_encoder(paths["sen"]),
            Ragged(paths["features"], "mel"),
            np.array([7, 3]),
            folder=tmp_path / "scratch",
            device=CPU,
            name="test",
        )


def test_features_of_another_corpus_are_told(tmp_path: Path) -> None:
    paths = write_inputs_of_the_stage(tmp_path, small_generator())
    with RaggedWriter(paths["features"], "mel", np.float16, (BANDS,)) as writer:
        writer.append(np.zeros((8, BANDS)))
    with pytest.raises(UserError, match=r"rows of 'mel\.npy'; got 1, not 22 as in the corpus"):
        run_stage(paths, tmp_path / "samples")
